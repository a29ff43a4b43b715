"""The ensemble: the mean of its members, the bundle's rules, and what it refuses to load."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model.bundle import Bundle
from model.engines import ENGINES, Network, Pixels, Probabilities, engine
from model.ensemble import Ensemble
from model.errors import EngineFailed, ImageUnreadable
from model.image import decode
from model.manifest import Manifest
from tests.model.graphs import BLUE, GREEN, RED, SIDE, picture

each_engine = pytest.mark.parametrize("name", ENGINES)


def saying(*values: float) -> Network:
    """A member that gives the same for every picture."""

    def network(pixels: Pixels) -> Probabilities:
        assert pixels.shape == (SIDE, SIDE, 3)
        return np.array(values, np.float32)

    return network


def ensemble_of(bundle: Path, *members: Network, **rules: object) -> Ensemble:
    """Members that are not the bundle's own, under changed rules."""
    opened = Bundle.open(bundle)
    changed = Manifest.model_validate({**opened.manifest.model_dump(), **rules})
    return Ensemble(dataclasses.replace(opened, manifest=changed), members)


@each_engine
@pytest.mark.parametrize(
    ("colour", "answer"), [(RED, "紅"), (GREEN, "綠"), (BLUE, "isnull")], ids=["r", "g", "b"]
)
def test_a_picture_is_read(
    name: str, colour: tuple[int, int, int], answer: str, tiny_bundle: Path
) -> None:
    ensemble = Ensemble.load(tiny_bundle, name, 1)

    reading = ensemble.read(picture(colour))

    assert reading.answer == answer
    assert reading.members == ensemble.size == 2
    assert type(reading.probability) is float


def test_the_answer_is_the_mean_of_the_members(tiny_bundle: Path, materials: Path) -> None:
    pixels = decode(picture(RED), SIDE, SIDE).astype(np.float32)
    load = engine("openvino").load
    first, second = (load(materials / name, 1)(pixels) for name in ("first.pb", "second.pb"))

    reading = Ensemble.load(tiny_bundle, "openvino", 1).read(picture(RED))

    assert abs(first[0] - second[0]) > 0.1
    assert reading.probability == pytest.approx((first[0] + second[0]) / 2, abs=1e-5)


def test_a_probe_asks_one_member(bundle: Path) -> None:
    """So that a caller who comes meanwhile does not wait for a whole ensemble."""
    asked: list[int] = []

    def member(number: int) -> Network:
        def network(_: Pixels) -> Probabilities:
            asked.append(number)
            return np.array([0.1, 0.6, 0.3], np.float32)

        return network

    ensemble_of(bundle, member(1), member(2)).probe()
    assert asked == [1]


def test_a_probe_fails_with_its_engine(bundle: Path) -> None:
    with pytest.raises(EngineFailed):
        ensemble_of(bundle, saying(np.nan, 0.5, 0.5)).probe()


def test_what_else_it_could_be_is_told_likeliest_first(bundle: Path) -> None:
    """Though here a rule says `isnull` of what looks most like something else."""
    rule = {"label": "isnull", "threshold": 0.25, "least": 0}
    reading = ensemble_of(bundle, saying(0.1, 0.6, 0.3), isnull=rule).read(picture(RED))

    assert (reading.answer, reading.probability) == ("isnull", pytest.approx(0.3))
    assert reading.alternatives == (("綠", pytest.approx(0.6)), ("紅", pytest.approx(0.1)))


def test_how_sure_it_is_of_a_character_does_not_fall_with_isnull(bundle: Path) -> None:
    rule = {"label": "isnull", "threshold": 0.6}
    reading = ensemble_of(bundle, saying(0.4, 0.1, 0.5), isnull=rule).read(picture(RED))

    assert (reading.answer, reading.probability) == ("紅", pytest.approx(0.8))
    assert reading.alternatives[0] == ("綠", pytest.approx(0.2))


def test_members_that_are_certain_of_isnull_leave_nothing_else(bundle: Path) -> None:
    rule = {"label": "isnull", "threshold": 0.6}
    reading = ensemble_of(bundle, saying(0, 0, 1), isnull=rule).read(picture(RED))

    assert (reading.answer, reading.probability) == ("isnull", 1.0)
    assert [other.probability for other in reading.alternatives] == [0, 0]


def test_two_doubtful_members_outvote_a_certain_one(bundle: Path) -> None:
    ensemble = ensemble_of(bundle, saying(0.9, 0.1, 0), saying(0.3, 0.7, 0), saying(0.2, 0.8, 0))

    assert ensemble.read(picture(RED)).answer == "綠"


@pytest.mark.parametrize(
    ("temperature", "probability"), [(1.0, 0.6), (0.5, 0.36 / 0.46), (0.001, 1.0), (1e9, 1 / 3)]
)
def test_the_temperature_sharpens_or_softens(
    temperature: float, probability: float, bundle: Path
) -> None:
    ensemble = ensemble_of(bundle, saying(0.6, 0.3, 0.1), calibration={"temperature": temperature})

    reading = ensemble.read(picture(RED))

    assert reading.answer == "紅"
    assert reading.probability == pytest.approx(probability, abs=1e-5)


@pytest.mark.parametrize(
    ("threshold", "values", "answer"),
    [
        (0.3, (0.1, 0.2, 0.7), "isnull"),
        (0.3, (0.4, 0.3, 0.3), "isnull"),
        (0.3, (0.5, 0.3, 0.2), "紅"),
        (0.8, (0.1, 0.2, 0.7), "綠"),
    ],
    ids=["the likeliest", "likely enough", "not likely enough", "the likeliest, not enough"],
)
def test_isnull(threshold: float, values: tuple[float, ...], answer: str, bundle: Path) -> None:
    rule = {"label": "isnull", "threshold": threshold}

    assert ensemble_of(bundle, saying(*values), isnull=rule).read(picture(RED)).answer == answer


def test_isnull_is_the_answer_when_no_class_is_likely(bundle: Path) -> None:
    rule = {"label": "isnull", "threshold": 0.9, "least": 0.5}

    clueless = ensemble_of(bundle, saying(0.4, 0.3, 0.3), isnull=rule)
    sure = ensemble_of(bundle, saying(0.5, 0.3, 0.2), isnull=rule)

    assert clueless.read(picture(RED)).answer == "isnull"
    assert sure.read(picture(RED)).answer == "紅"


def test_isnull_can_be_any_of_the_labels(bundle: Path) -> None:
    rule = {"label": "紅", "threshold": 0.8}

    assert ensemble_of(bundle, saying(0.5, 0.1, 0.4), isnull=rule).read(picture(RED)).answer == (
        "isnull"
    )


def test_without_a_rule_isnull_is_a_class_like_the_others(bundle: Path) -> None:
    assert ensemble_of(bundle, saying(0.3, 0.3, 0.4)).read(picture(RED)).answer == "isnull"


def test_the_isnull_threshold_is_compared_before_the_temperature(bundle: Path) -> None:
    ensemble = ensemble_of(
        bundle,
        saying(0.5, 0.1, 0.4),
        isnull={"label": "isnull", "threshold": 0.35},
        calibration={"temperature": 0.1},
    )

    assert ensemble.read(picture(RED)).answer == "isnull"


@pytest.mark.parametrize(
    "values", [(np.nan, 0.5, 0.5), (np.inf, 0, 0), (0, 0, 0), (1.5, -0.5, 0)], ids=str
)
def test_what_is_no_distribution_is_no_answer(values: tuple[float, ...], bundle: Path) -> None:
    ensemble = ensemble_of(bundle, saying(*values))

    with pytest.raises(EngineFailed):
        ensemble.read(picture(RED))


def test_an_unreadable_image_says_so(tiny_bundle: Path) -> None:
    with pytest.raises(ImageUnreadable):
        Ensemble.load(tiny_bundle, "openvino", 1).read(b"no picture")
