from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.ensemble import Ensemble
from model.manifest import Calibration, IsNull
from model.training.judge import evaluation
from model.training.judge.evaluation import Reading, Rule


def sure(confidence: np.ndarray, classes: int = 5) -> np.ndarray:
    """Probabilities with `confidence` on class 0 and the rest shared evenly."""
    rest = (1 - confidence) / (classes - 1)
    rows = np.repeat(rest[:, None], classes, axis=1)
    rows[:, 0] = confidence
    return rows.astype(np.float32)


def test_wilson_interval() -> None:
    figures = evaluation.accuracy(np.array([1] * 90 + [0] * 10), np.ones(100, int))

    assert figures == {"accuracy": 0.9, "interval_95": [0.8256, 0.9448], "images": 100}


def test_macro_f1_counts_classes_alike() -> None:
    targets = np.array([0] * 98 + [1, 1])

    assert evaluation.macro_f1(np.zeros(100, int), targets) == pytest.approx(0.4949, abs=1e-4)


def test_calibration_error_of_the_honest_and_the_boastful() -> None:
    targets = np.array([0] * 80 + [1] * 20)
    answers = np.zeros(100, int)

    honest = evaluation.calibration_error(Reading(answers, np.full(100, 0.8)), targets)
    boastful = evaluation.calibration_error(Reading(answers, np.full(100, 0.99)), targets)

    assert honest == pytest.approx(0)
    assert boastful == pytest.approx(0.19)


def test_reliability_counts_every_image_once() -> None:
    confidence = np.array([0.0, 0.01, 0.5, 1.0])

    bins = evaluation.reliability(Reading(np.zeros(4, int), confidence), np.array([0, 1, 0, 0]))

    assert [each["images"] for each in bins] == [2, 1, 1]
    assert [each["accuracy"] for each in bins] == [0.5, 1, 1]


def test_cooling_keeps_the_order_and_the_sum() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [1e-30, 0.0, 1.0]], np.float32)

    cooled = evaluation.cool(probabilities, 0.25)

    assert cooled.argmax(axis=1).tolist() == [1, 2]
    assert cooled[0, 1] > 0.8
    np.testing.assert_allclose(cooled.sum(axis=1), 1, rtol=1e-5)


def test_below_the_threshold_the_likeliest_character_answers() -> None:
    probabilities = np.array([[0.1, 0.3, 0.6], [0.5, 0.2, 0.3]], np.float32)

    assert evaluation.answers_of(probabilities, Rule(2, 0.7)).tolist() == [1, 0]
    assert evaluation.answers_of(probabilities, Rule(2, 0.5)).tolist() == [2, 0]


def test_a_clueless_ensemble_answers_isnull() -> None:
    probabilities = np.array([[0.4, 0.35, 0.25], [0.5, 0.3, 0.2]], np.float32)

    assert evaluation.answers_of(probabilities, Rule(2, 0.9, 0.45)).tolist() == [2, 0]


@pytest.mark.parametrize("rule", [None, Rule(2, 0.6), Rule(2, 0.6, 0.4)])
def test_what_settles_here_settles_in_service(rule: Rule | None) -> None:
    exits, isnull = (0.45,), rule and IsNull(label="無", threshold=rule.threshold, least=rule.least)
    calibration = Calibration(exits=exits)
    manifest: Any = SimpleNamespace(
        labels="甲乙無", isnull=isnull, calibration=calibration, golden=()
    )
    bundle: Any = SimpleNamespace(manifest=manifest)
    members: Any = [None, None]
    probabilities = np.random.default_rng(0).dirichlet((1, 1, 1), 500).astype(np.float32)

    served = [Ensemble(bundle, members).reading(each, members=1).settled for each in probabilities]

    found = evaluation.settles(probabilities, rule, exits[0])
    assert found.tolist() == served
    assert len(set(served)) == 2
    sure = evaluation.settles(probabilities, None, exits[0])
    assert (found != sure).any() == (rule is not None)


def test_without_a_rule_the_likeliest_class_answers() -> None:
    probabilities = np.array([[0.1, 0.3, 0.6]], np.float32)

    reading = evaluation.read(probabilities, None, temperature=1.0)

    assert reading.answers.tolist() == [2]
    assert reading.confidence.tolist() == pytest.approx([0.6])


def test_refusals() -> None:
    answers, targets = np.array([2, 2, 2, 0, 1, 0]), np.array([2, 2, 0, 2, 1, 0])

    assert evaluation.refusals(answers, targets, isnull=2) == {
        "precision": 0.6667, "recall": 0.6667, "wrongly_refused": 0.3333, "images": 3,
    }  # fmt: skip


def test_refusals_of_nothing_have_no_shares() -> None:
    nothing = evaluation.refusals(np.array([0, 1]), np.array([0, 1]), isnull=2)

    assert nothing == {"precision": None, "recall": None, "wrongly_refused": 0.0, "images": 0}


def test_confused_pairs_come_most_frequent_first() -> None:
    answers, targets = np.array([1, 1, 0, 2, 0]), np.array([0, 0, 1, 2, 2])

    assert evaluation.confused(answers, targets, ("A", "O", "X"), 2) == [
        {"label": "A", "read": "O", "times": 2},
        {"label": "O", "read": "A", "times": 1},
    ]
