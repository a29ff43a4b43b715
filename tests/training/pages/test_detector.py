"""The detector's training: what it learns from is what detection reads out again."""

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from model.bundle import Bundle
from model.detection import FOUND, peaks
from model.engines import ENGINES, Port, engine
from model.errors import BundleInvalid
from model.packing import pack
from model.sheet import SheetReader
from model.training.errors import DataError
from model.training.fit import checkpoint
from model.training.frozen.freeze import freeze_detector
from model.training.pages.crops import SIDE, Crops
from model.training.pages.equip import equip
from model.training.pages.fit import WEIGHTS, fit
from model.training.pages.network import HEATS, SIDES, build
from model.training.pages.revive import revive
from model.training.pages.stream import Stream
from model.training.pages.targets import targets


@pytest.fixture(scope="module")
def network() -> Iterator[keras.Model]:
    keras.utils.set_random_seed(1)
    yield build()
    keras.backend.clear_session()


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_what_is_to_be_said_is_read_out_as_the_boxes_it_was_made_of() -> None:
    written = boxes((10, 12, 30, 28), (44, 14, 26, 30), (20, 70, 40, 5))
    printed = boxes((90, 90, 20, 22))

    made = targets((written, printed), 128, 128)
    said = np.concatenate(
        [made[..., :HEATS], np.log(np.maximum(made[..., HEATS : HEATS + SIDES], 0.5) / 8)], axis=-1
    )
    found, heats, leanings = peaks(said, 0.99)

    assert heats == pytest.approx(1)
    for of_kind, expected in ((leanings > 0, written), (leanings < 0, printed)):
        there = sorted(map(tuple, found[of_kind]))
        for box, wanted in zip(there, sorted(map(tuple, expected)), strict=True):
            assert box == pytest.approx(wanted, abs=0.01)


def test_of_print_that_nobody_can_read_nothing_is_learnt_but_that_it_is_no_handwriting() -> None:
    made = targets((boxes(), boxes((40, 40, 5, 5))), 96, 96)
    assert made[10, 10, :HEATS].tolist() == [0, 0]
    assert made[10, 10, HEATS + SIDES :].tolist() == [1, 0, 0]
    assert made[20, 20, HEATS + SIDES :].tolist() == [1, 1, 0]


def test_crops_show_what_their_targets_say(stream: Stream, tmp_path: Path) -> None:
    for number in range(3):
        sheet = stream.sheet(number)
        (tmp_path / f"{number}.jpg").write_bytes(sheet.jpeg)
        (tmp_path / f"{number}.json").write_text(json.dumps(sheet.truth), "utf-8")

    pictures, wanted = Crops(tmp_path).batch(4, np.random.default_rng(1))

    assert pictures.shape == (4, SIDE, SIDE, 3)
    assert wanted.shape == (4, SIDE // 4, SIDE // 4, 9)
    assert (wanted[..., :HEATS].max(axis=(1, 2, 3)) == 1).any()


def test_without_sheets_there_is_no_training(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        fit(tmp_path, tmp_path / "run", steps=1, seed=1)


@pytest.mark.parametrize("name", ENGINES)
def test_frozen_it_says_the_same_of_pictures_of_any_size(
    name: str, network: keras.Model, tmp_path: Path
) -> None:
    graph = tmp_path / "detector.pb"
    graph.write_bytes(freeze_detector(network).SerializeToString())
    rng = np.random.default_rng(1)
    for size in ((64, 96), (128, 64)):
        pixels = rng.uniform(0, 255, (*size, 3)).astype(np.float32)
        said = engine(name).load(graph, 1, None, Port(FOUND, size))(pixels)
        expected = np.asarray(network(pixels[None]))[0]
        assert said.shape == (size[0] // 4, size[1] // 4, 6)
        assert said[..., :2] == pytest.approx(1 / (1 + np.exp(-expected[..., :2])), abs=2e-3)
        assert said[..., 2:] == pytest.approx(expected[..., 2:], abs=2e-2)


def equipped(
    network: keras.Model, reader: Path, folder: Path, refused_from: float | None = None
) -> Bundle:
    arrays = {str(n): weight.numpy() for n, weight in enumerate(network.weights)}
    checkpoint.save(folder / "run" / WEIGHTS, 7, arrays)
    Image.new("RGB", (90, 67), "white").save(folder / "golden.png")
    return equip(
        *(folder / "run", reader, [folder / "golden.png"], folder / "sheet"),
        name="sheet",
        version="1",
        licence="MIT",
        refused_from=refused_from,
    )


def test_a_reader_is_equipped(network: keras.Model, tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = equipped(network, tiny_bundle, tmp_path)

    assert bundle.id == "sheet/1"
    assert bundle.manifest.provenance["detector"] == {"steps": 7}
    assert (
        Bundle.open(tmp_path / "sheet").manifest.labels == Bundle.open(tiny_bundle).manifest.labels
    )
    reader = SheetReader.load(bundle.folder, "openvino", 1)
    assert reader.size == 2


def test_sheets_may_be_refused_by_another_rule_than_single_characters(
    network: keras.Model, tiny_bundle: Path, tmp_path: Path
) -> None:
    tiny = Bundle.open(tiny_bundle)
    facts = tiny.manifest.model_dump(exclude={"members", "golden"})
    facts["isnull"] = {"label": "isnull", "threshold": 0.9}
    graphs = [tiny.path(member.graph) for member in tiny.manifest.members]
    golden = {tiny.path(each.image): each.answer for each in tiny.manifest.golden}
    reader = pack(tmp_path / "reader", graphs, golden, facts).folder

    for wanted, expected in ((0.95, 0.95), (None, 0.9)):
        rule = equipped(network, reader, tmp_path, wanted).manifest.isnull
        assert rule
        assert (rule.label, rule.threshold) == ("isnull", expected)
    with pytest.raises(DataError, match="tiny/1 knows no isnull"):
        equipped(network, tiny_bundle, tmp_path, 0.95)


def test_a_training_goes_on_from_the_detector_of_a_bundle(
    network: keras.Model, stream: Stream, tiny_bundle: Path, tmp_path: Path
) -> None:
    sheet = stream.sheet(0)
    (tmp_path / "0.jpg").write_bytes(sheet.jpeg)
    (tmp_path / "0.json").write_text(json.dumps(sheet.truth), "utf-8")
    crops, rng = Crops(tmp_path), np.random.default_rng(1)
    batches = [crops.batch(2, rng)[0] for _ in range(3)]
    revived = build()

    revive(revived, equipped(network, tiny_bundle, tmp_path), batches)

    expected, found = (np.asarray(each(batches[0], training=False)) for each in (network, revived))
    assert found == pytest.approx(expected, abs=0.02)
    # Its batch norms live: of a batch alone it says about the same.
    learning = np.asarray(revived(np.concatenate(batches), training=True))[:2]
    assert learning == pytest.approx(expected, abs=0.02)
    with pytest.raises(DataError, match="tiny/1 has no detector"):
        revive(build(), Bundle.open(tiny_bundle), batches)


def test_a_graph_of_another_kind_is_no_detector(tiny_bundle: Path, tmp_path: Path) -> None:
    tiny = Bundle.open(tiny_bundle)
    graphs = [tiny.path(member.graph) for member in tiny.manifest.members]
    facts = tiny.manifest.model_dump(exclude={"members", "golden"})
    facts["sheet"] = {
        **{"canvases": [{"height": 64, "width": 64}], "threshold": 0.5, "margin": 0, "review": 0.9},
        **{"pages": 1, "task_limit_ms": 1_000, "task_memory_bytes": 0},
    }
    golden = {tiny.path(tiny.manifest.golden[0].image): "紅"}
    bundle = pack(tmp_path / "sheet", graphs, golden, facts, detector=graphs[0])
    with pytest.raises(BundleInvalid, match="detector"):
        SheetReader.load(bundle.folder, "openvino", 1)
