"""Several images in one call: each is answered as it is alone, or they are not read so at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model import bunch
from model.bunch import Bunch
from model.engines import ENGINES
from model.ensemble import Ensemble
from model.errors import EngineFailed
from model.packing import pack
from tests.model.graphs import BLUE, FACTS, GREEN, RED, SIDE, logits, picture, softmax

Freeze = Callable[..., Path]


def takes(one_us: int, all_us: int) -> Callable[..., Mapping[str, int]]:
    """What is measured of an image alone, and of a whole bunch."""
    return lambda networks, *_: dict(zip(networks, (one_us, all_us), strict=True))


@pytest.fixture
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bunch, "took_us", takes(1_000, 2_400))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("worth")
def test_each_goes_on_from_what_the_first_member_says_of_it(bundle: Path, engine: str) -> None:
    ensemble = Ensemble.load(bundle, engine, 1)
    together = Bunch.load(ensemble, engine, 1, None)
    assert together
    assert together.took_us == 600
    images = [picture(colour) for colour in (RED, GREEN, BLUE, GREEN)]
    begun = together.readings([ensemble.pixels(image) for image in images])
    for image, readings in zip(images, begun, strict=True):
        alone = list(ensemble.readings(image))
        for reading, expected in zip(readings, alone, strict=True):
            assert (reading.answer, reading.members) == (expected.answer, expected.members)
            assert reading.probability == pytest.approx(expected.probability, abs=1e-5)


@pytest.mark.usefixtures("worth")
def test_it_is_asked_once_for_all(bundle: Path) -> None:
    ensemble = Ensemble.load(bundle, "openvino", 1)
    asked: list[tuple[int, ...]] = []

    def network(pixels: Any) -> Any:
        asked.append(pixels.shape)
        return np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]

    images = [ensemble.pixels(picture(RED))] * Bunch.MOST
    begun = Bunch(ensemble, network, 600).readings(images)
    answers = [next(readings).answer for readings in begun]
    assert answers == [ensemble.bundle.manifest.labels[each] for each in (0, 1, 1, 2)]
    assert asked == [(Bunch.MOST, SIDE, SIDE, 3)]


def test_an_answer_that_is_none_is_told_at_once(bundle: Path) -> None:
    ensemble = Ensemble.load(bundle, "openvino", 1)
    broken = np.full((Bunch.MOST, 3), np.nan, np.float32)
    images = [ensemble.pixels(picture(RED))] * Bunch.MOST
    with pytest.raises(EngineFailed):
        Bunch(ensemble, lambda _: broken, 600).readings(images)


def test_what_saves_less_than_a_tenth_is_not_worth_it(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bunch, "took_us", takes(1_000, 3_700))
    ensemble = Ensemble.load(bundle, "openvino", 1)
    assert Bunch.load(ensemble, "openvino", 1, None) is None


def mixing(image: Any) -> Any:
    """Leaves an image alone as it is."""
    seen = logits(image)
    return softmax(seen - seen[:1] + tf.reverse(seen, [0])[:1])


def for_one(image: Any) -> Any:
    return softmax(logits(tf.reshape(image, [1, SIDE, SIDE, 3])))


@pytest.mark.parametrize("head", [mixing, for_one])
@pytest.mark.usefixtures("worth")
def test_a_graph_that_is_for_one_image_at_a_time_reads_one_at_a_time(
    materials: Path, freeze: Freeze, tmp_path: Path, head: Callable[[Any], Any]
) -> None:
    golden = {materials / "red.png": "紅", materials / "green.jpg": "綠"}
    graph = freeze(tmp_path / "first.pb", head)
    folder = pack(tmp_path / "bundle", [graph], golden, FACTS).folder
    ensemble = Ensemble.load(folder, "openvino", 1)
    assert Bunch.load(ensemble, "openvino", 1, None) is None
