"""Loading an ensemble: what it refuses, and what it keeps when the folder goes."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from model.engines import ENGINES
from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.packing import pack
from tests.model.graphs import FACTS, RED, SIDE, logits, picture, softmax

if TYPE_CHECKING:
    import tensorflow as tf

each_engine = pytest.mark.parametrize("name", ENGINES)


def test_a_golden_picture_that_reads_differently_is_refused(
    materials: Path, tmp_path: Path
) -> None:
    wrong = {materials / "red.png": "綠"}
    folder = pack(tmp_path / "wrong", [materials / "first.pb"], wrong, FACTS).folder

    with pytest.raises(BundleInvalid, match=r"tiny/1: golden/1\.png reads '紅'.*says '綠'"):
        Ensemble.load(folder, "openvino", 1)


def test_a_golden_picture_that_is_none_is_refused(materials: Path, tmp_path: Path) -> None:
    none = tmp_path / "none.png"
    none.write_bytes(b"no picture")
    folder = pack(tmp_path / "wrong", [materials / "first.pb"], {none: "紅"}, FACTS).folder

    with pytest.raises(BundleInvalid, match=r"golden/1\.png: the image cannot be decoded"):
        Ensemble.load(folder, "openvino", 1)


def no_softmax(image: tf.Tensor) -> tf.Tensor:
    return logits(image)


def not_a_number(image: tf.Tensor) -> tf.Tensor:
    return softmax(logits(image) - np.inf)


def four_classes(image: tf.Tensor) -> tf.Tensor:
    return softmax(logits(image, classes=4))


@each_engine
@pytest.mark.parametrize("head", [no_softmax, not_a_number, four_classes])
def test_a_member_that_gives_something_else_is_refused(
    name: str,
    head: Callable[[tf.Tensor], tf.Tensor],
    freeze: Callable[..., Path],
    materials: Path,
    tmp_path: Path,
) -> None:
    graphs = [materials / "first.pb", freeze(tmp_path / "graph.pb", head)]
    folder = pack(tmp_path / "wrong", graphs, {materials / "red.png": "紅"}, FACTS).folder

    with pytest.raises(BundleInvalid, match=r"members/2\.pb gives"):
        Ensemble.load(folder, name, 1)


@each_engine
def test_a_member_for_another_input_size_is_refused(
    name: str, freeze: Callable[..., Path], materials: Path, tmp_path: Path
) -> None:
    graph = freeze(tmp_path / "graph.pb", side=2 * SIDE)
    folder = pack(tmp_path / "wrong", [graph], {materials / "red.png": "紅"}, FACTS).folder

    with pytest.raises(BundleInvalid, match=r"members/1\.pb does not run on images of 32 x 32"):
        Ensemble.load(folder, name, 1)


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.sprung,)


@each_engine
def test_nothing_in_a_bundle_is_executed(name: str, materials: Path, tmp_path: Path) -> None:
    graph, sprung = tmp_path / "graph.pb", tmp_path / "sprung"
    graph.write_bytes(pickle.dumps(Trap(sprung)))
    folder = pack(tmp_path / "wrong", [graph], {materials / "red.png": "紅"}, FACTS).folder

    with pytest.raises(BundleInvalid, match=r"members/1\.pb"):
        Ensemble.load(folder, name, 1)
    assert not sprung.exists()


@each_engine
def test_the_probe_outlives_the_folder(name: str, bundle: Path) -> None:
    """Releases replace the folder, at times while a worker is still at work."""
    ensemble = Ensemble.load(bundle, name, 1)

    shutil.rmtree(bundle)

    for golden in ensemble.bundle.manifest.golden:
        ensemble.check(golden)
    assert ensemble.read(picture(RED)).answer == "紅"


def test_the_probe_is_of_the_loaded_release(bundle: Path, materials: Path) -> None:
    """The same names in the folder, other pictures and other answers."""
    ensemble = Ensemble.load(bundle, "openvino", 1)

    swapped: Mapping[Path, str] = {materials / "green.jpg": "綠", materials / "red.png": "紅"}
    facts: dict[str, Any] = {**FACTS, "version": "2"}
    pack(bundle, [materials / "first.pb"], swapped, facts)

    ensemble.check(ensemble.bundle.manifest.golden[0])
    assert ensemble.bundle.id == "tiny/1"
