import numpy as np
import pytest

from model.training import evaluation
from model.training.evaluation import Reading


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


def test_temperature_undoes_false_modesty() -> None:
    rng = np.random.default_rng(0)
    targets = np.where(rng.random(2000) < 0.9, 0, 1)
    modest = sure(np.full(2000, 0.5))

    temperature = evaluation.best_temperature(modest, targets)
    cooled = evaluation.cool(modest, temperature)

    assert temperature < 1
    assert cooled[:, 0].mean() == pytest.approx(0.9, abs=0.03)
    np.testing.assert_allclose(cooled.sum(axis=1), 1, rtol=1e-5)


def test_isnull_threshold_loses_no_more_than_the_rate() -> None:
    probabilities = sure(np.full(200, 0.5))
    probabilities[:, 4] = np.linspace(0, 0.9, 200)

    threshold = evaluation.isnull_threshold(probabilities, isnull=4, rate=0.02)
    answers = evaluation.read(probabilities, 4, threshold).answers

    assert (answers == 4).sum() == 4
    assert (answers[-4:] == 4).all()


def test_equal_probabilities_are_all_kept_or_all_refused() -> None:
    probabilities = sure(np.full(50, 0.5))

    threshold = evaluation.isnull_threshold(probabilities, isnull=4, rate=0.02)

    assert (evaluation.read(probabilities, 4, threshold).answers == 0).all()


def test_below_the_threshold_the_likeliest_character_answers() -> None:
    probabilities = np.array([[0.1, 0.3, 0.6], [0.5, 0.2, 0.3]], np.float32)

    assert evaluation.read(probabilities, 2, 0.7).answers.tolist() == [1, 0]
    assert evaluation.read(probabilities, 2, 0.5).answers.tolist() == [2, 0]


def test_a_clueless_ensemble_answers_isnull() -> None:
    probabilities = np.array([[0.4, 0.35, 0.25], [0.5, 0.3, 0.2]], np.float32)

    assert evaluation.read(probabilities, 2, 0.9, least=0.45).answers.tolist() == [2, 0]


def test_the_least_probability_loses_no_more_than_the_rate() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(5), 1_000).astype(np.float32)

    least = evaluation.least_probability(probabilities, isnull=4, rate=0.01)

    assert np.sum(probabilities[:, :4].max(axis=1) < least) == 10
