"""Calibration, on made-up ensembles whose truth is known."""

import numpy as np
import pytest

from model.training.judge import calibration, evaluation, report
from model.training.judge.evaluation import Floats, Indexes, Rule

CLASSES, ISNULL = 6, 5


def ensemble(
    images: int, seed: int, skill: tuple[float, ...] = (3, 3, 3)
) -> tuple[Floats, Indexes]:
    """Probabilities (members, n, classes) and targets.

    Some images are easier than others; a member of more skill sees more of the truth.
    """
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, ISNULL, images)
    ease = rng.gamma(1.5, 1.0, (images, 1))
    truth = np.eye(CLASSES)[targets] * ease
    logits = np.stack([truth * each + rng.normal(0, 1, truth.shape) for each in skill])
    logits[:, :, ISNULL] -= 3
    powers = np.exp(logits)
    return (powers / powers.sum(axis=2, keepdims=True)).astype(np.float32), targets


def test_leaving_early_keeps_the_answers_of_images_not_seen() -> None:
    members, targets = ensemble(2_000, seed=1)
    choice = calibration.choose(members, targets, ISNULL)

    others, their_targets = ensemble(20_000, seed=2)
    early = report.early_exit(others[list(choice.order)], their_targets, choice.rule, choice.exits)

    assert early["same_answer"] >= 0.995
    assert early["mean_members"] < 2


def test_a_larger_risk_would_change_more_answers_and_save_more() -> None:
    members, _ = ensemble(2_000, seed=1)
    careful, bold = (calibration._leaving(members, None, risk) for risk in (0.001, 0.1))

    assert careful[2] < bold[2]
    assert all(one >= other for one, other in zip(careful[1], bold[1], strict=True))


def test_the_member_after_which_most_leave_comes_first() -> None:
    members, targets = ensemble(2_000, seed=3, skill=(0.2, 3, 0.2))

    assert calibration.choose(members, targets, ISNULL).order[0] == 1


def test_with_few_images_nobody_leaves_early() -> None:
    members, targets = ensemble(calibration.LEAST_IMAGES - 1, seed=1)

    choice = calibration.choose(members, targets, ISNULL)

    assert choice.order == (0, 1, 2)
    assert choice.exits == (None, None)


def test_one_member_has_no_exits() -> None:
    members, targets = ensemble(500, seed=1, skill=(3,))

    assert calibration.choose(members, targets, None).exits == ()


def test_risks_are_those_of_the_images() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.2, 0.99, 20_000)
    wrong = rng.random(20_000) < (1 - sure) ** 2

    risks = calibration._risks(sure, wrong)

    for low, high in ((0.3, 0.4), (0.6, 0.7), (0.9, 0.95)):
        part = (sure >= low) & (sure < high)
        assert risks[part].mean() == pytest.approx(wrong[part].mean(), abs=0.015)


def test_isnull_refuses_no_more_than_its_share() -> None:
    rng = np.random.default_rng(0)
    mean = rng.dirichlet(np.ones(CLASSES), 1_000).astype(np.float32)

    rule = calibration.isnull_rule(mean, ISNULL)
    refused = evaluation.answers_of(mean, rule) == ISNULL

    assert refused.sum() == 15


def test_the_rule_of_a_handful_is_one() -> None:
    rule = calibration.isnull_rule(np.full((3, CLASSES), 1 / CLASSES, np.float32), ISNULL)

    assert 0 < rule.threshold <= 1


def test_what_nobody_can_read_does_not_move_the_rule_of_isnull() -> None:
    members, targets = ensemble(1_000, seed=4)
    mislabelled = np.concatenate([members, members[:, ::-1]], axis=1)
    wrong = np.concatenate([targets, (targets[::-1] + 1) % ISNULL])
    known = calibration.readable(mislabelled.mean(axis=0), wrong, ISNULL)

    assert known[:1_000].mean() > 0.9
    assert known[1_000:].mean() < 0.5


def test_how_sure_it_is_of_a_character_does_not_fall_with_isnull() -> None:
    mean = np.array([[0.4, 0.1, 0, 0, 0, 0.5], [0.2, 0.1, 0, 0, 0, 0.7]], np.float32)

    told = evaluation.read(mean, Rule(ISNULL, 0.6), temperature=1.0)

    assert told.answers.tolist() == [0, ISNULL]
    assert told.confidence == pytest.approx([0.8, 0.7])


def test_images_of_isnull_do_not_move_its_rule() -> None:
    members, targets = ensemble(1_000, seed=4)
    extended = np.concatenate([members, members], axis=1)
    foreign = np.concatenate([targets, np.full(1_000, ISNULL)])

    assert (
        calibration.choose(extended, foreign, ISNULL).rule
        == calibration.choose(members, targets, ISNULL).rule
    )


def test_temperature_undoes_false_modesty() -> None:
    rng = np.random.default_rng(0)
    targets = np.where(rng.random(2_000) < 0.9, 0, 1)
    modest = np.full((2_000, CLASSES), 0.1, np.float32)
    modest[:, 0] = 0.5

    temperature = calibration.best_temperature(modest, targets, None)
    reading = evaluation.read(modest, None, temperature)

    assert temperature < 1
    assert reading.confidence.mean() == pytest.approx(0.9, abs=0.03)
    assert evaluation.calibration_error(reading, targets) < 0.03


def test_whoever_leaves_is_answered_by_the_members_asked() -> None:
    members = np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.1, 0.9], [0.1, 0.9]]], np.float32)

    asked, answers = report.left_early(members, None, (0.8,))

    assert asked.tolist() == [1, 2]
    assert answers.tolist() == [0, 1]


def test_without_an_exit_all_are_asked() -> None:
    members, _ = ensemble(50, seed=5)

    asked, answers = report.left_early(members, Rule(ISNULL, 0.3), (None, None))

    assert (asked == 3).all()
    assert (answers == evaluation.answers_of(members.mean(axis=0), Rule(ISNULL, 0.3))).all()


def test_the_members_most_alike_are_told() -> None:
    """Of four images the first and the third answer alike on three, all other pairs on fewer."""
    said = np.array([[0, 1, 2, 0], [1, 1, 1, 1], [0, 1, 2, 1]])
    members = np.eye(3, dtype=np.float32)[said]
    assert report.most_alike(members) == {"members": [1, 3], "agreement": 0.75}
    assert report.most_alike(members[:1]) is None


def test_what_is_refused_is_told_of_readable_images_alone() -> None:
    """Of three images refused one has a label that nobody sees in it, and one is truly isnull."""
    refused = np.float32([0.3, 0.0, 0.7])
    members = np.stack([refused, refused, refused, np.float32([0.9, 0.05, 0.05])])[None]
    rule, targets = Rule(2, 0.5), np.array([0, 1, 2, 0])
    told = report.figures(members, targets, rule, 1.0, ())
    assert told["readable_refused"] == 0.5
    assert report.figures(members, targets, None, 1.0, ())["readable_refused"] is None
