"""A reader of lines reads what the members of a bundle for sheets refuse."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model.bundle import Bundle
from model.engines import ENGINES, engine
from model.errors import BundleInvalid
from model.packing import pack
from model.second import SecondReader
from model.sheet import SheetReader
from model.training.errors import DataError
from model.training.pages.equip import equip
from model.training.pages.second import Found, second
from tests.training.pages.test_detector import equipped, network
from tests.training.test_adopt import SIDE, line_reader, paint

__all__ = ["network"]

LABELS = ("日", "月", "isnull")


@pytest.fixture
def sheets(network: keras.Model, tmp_path: Path) -> Path:
    """A bundle for sheets whose one member refuses all but red."""
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, SIDE, SIDE, 3), "image")
        kernel = tf.constant(np.array([[1, -1], [-1, 1], [-1, 1]], np.float32))
        tf.nn.softmax(tf.matmul(tf.reduce_mean(image, (1, 2)), kernel), name="probabilities")
    member = tmp_path / "member.pb"
    member.write_bytes(graph.as_graph_def().SerializeToString())
    facts = {
        "name": "tiny", "version": "1", "licence": "Ours.", "labels": ("紅", "isnull"),
        "input": {"height": SIDE, "width": SIDE}, "engines": {"openvino": 1.0},
        "isnull": {"label": "isnull", "threshold": 0.5}, "accuracy": {}, "provenance": {},
    }  # fmt: skip
    golden = {paint(tmp_path / "1_紅.png", "日"): "紅"}
    reader = pack(tmp_path / "reader", [member], golden, facts).folder
    return equipped(network, reader, tmp_path).folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six that are red, six that are blue, and six that are green and none of the labels."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(18):
        character = ("日", "月", "木")[number % 3]
        label = "isnull" if character == "木" else character
        paint(folder / f"{number}_{label}.png", character)
    return folder


def added(
    sheets: Path, data: Path, folder: Path, labels: tuple[str, ...] = LABELS
) -> tuple[Bundle, Found]:
    reader = line_reader(folder / "reader.onnx", "日\n木\n月")
    return second(
        *(sheets, reader, labels, data, folder / "cache", folder / "out"),
        version="2",
        least=0.4,
        licence="Theirs.",
    )


def test_it_is_asked_what_the_members_refuse(sheets: Path, data: Path, tmp_path: Path) -> None:
    bundle, found = added(sheets, data, tmp_path)

    assert (bundle.id, bundle.manifest.licence) == ("sheet/2", "MIT Theirs.")
    # Red is read by the member, blue by the second reader, and green by nobody.
    assert found == Found(images=18, refused=0.5, read=0.5, mistaken=0.0)
    rules = bundle.manifest.sheet and bundle.manifest.sheet.second
    assert rules
    assert rules.labels == ("日", "月")
    for name in ENGINES:
        reader = SecondReader.load(bundle, rules, engine(name), 1, None)
        told = {
            character: reader.read(
                np.asarray(Image.open(paint(tmp_path / "one.png", character)), np.float32)
            )
            for character in ("日", "月", "木")
        }
        assert {character: known and known.text for character, known in told.items()} == {
            "日": "日",
            "月": "月",
            "木": None,
        }
        assert SheetReader.load(bundle.folder, name, 1).bundle.id == "sheet/2"


def test_another_reader_takes_the_places_of_the_members_alone(
    sheets: Path, data: Path, tmp_path: Path
) -> None:
    """Given a bundle with a second reader, as when the reader is trained again every day."""
    before, _ = added(sheets, data, tmp_path)
    golden = before.path(before.manifest.golden[0].image)

    after = equip(
        *(before.folder, tmp_path / "reader", [golden], tmp_path / "after"),
        name="sheet",
        version="3",
        licence="MIT",
        refused_from=0.9,
    )

    assert before.manifest.sheet == after.manifest.sheet
    assert after.manifest.isnull
    assert after.manifest.isnull.threshold == 0.9
    assert after.manifest.provenance["detector"] == {"steps": 7}
    with pytest.raises(DataError, match="tiny/1 has no detector"):
        equip(
            *(tmp_path / "reader", tmp_path / "reader", [golden], tmp_path / "other"),
            name="sheet",
            version="3",
            licence="MIT",
        )


def test_what_the_members_know_is_not_read_twice(sheets: Path, data: Path, tmp_path: Path) -> None:
    for image in data.glob("*_日.png"):
        image.rename(image.with_name(image.name.replace("日", "紅")))
    reader = line_reader(tmp_path / "reader.onnx", "紅\n木\n月")
    with pytest.raises(DataError, match="the members know them already: 紅"):
        second(
            *(sheets, reader, ("紅", "月", "isnull"), data, tmp_path / "cache", tmp_path / "out"),
            version="2",
            least=0.4,
        )
    assert not (tmp_path / "out").exists()


def test_a_bundle_of_single_characters_has_none(
    tiny_bundle: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="is none for sheets"):
        added(tiny_bundle, data, tmp_path)


def test_a_graph_that_tells_of_other_characters_is_refused(
    sheets: Path, data: Path, tmp_path: Path
) -> None:
    bundle, _ = added(sheets, data, tmp_path)
    rules = bundle.manifest.sheet and bundle.manifest.sheet.second
    assert rules
    more = rules.model_copy(update={"labels": ("日", "月", "山")})
    with pytest.raises(BundleInvalid, match="for 3 labels and none of them"):
        SecondReader.load(bundle, more, engine("openvino"), 1, None)
