"""A reader of lines becomes a member of a bundle: it tells characters by their colour."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper
from PIL import Image

from model.bundle import Bundle
from model.engines import ENGINES
from model.ensemble import Ensemble
from model.packing import pack
from model.training.adopt import Teaching, adopt
from model.training.calibrate import load_for, recalibrate
from model.training.errors import DataError, ExportError
from model.training.fit.reader_tuner import Lessons
from model.training.fit.run import Settings
from model.training.frozen import null_head
from tests.training.frozen.test_onnx import write

LABELS = ("日", "月", "isnull")
SIDE = 96
COLOURS = {"日": (255, 0, 0), "月": (0, 0, 255), "木": (0, 255, 0)}


def line_reader(path: Path, characters: str = "日\n木\n月") -> Path:
    """It sees red as the first of the characters, green as the second and blue as the third."""
    kernel = np.zeros((5, 3, 48, 8), np.float32)
    for place, channel in enumerate((2, 1, 0), start=1):  # blue comes first in the picture
        kernel[place, channel] = 1 / 48
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["seen"], strides=[48, 8]),
        helper.make_node("Squeeze", ["seen", "rows"], ["row"]),
        helper.make_node("Transpose", ["row"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("Softmax", ["columns"], ["out"], axis=2),
    ]
    constants = {"kernel": kernel, "rows": np.array([2], np.int64)}
    metadata = {"character": characters} if characters else {}
    return write(path, nodes, constants, ("n", 3, 48, "w"), **metadata)


def paint(path: Path, character: str) -> Path:
    Image.new("RGB", (SIDE, SIDE), COLOURS[character]).save(path)
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of one member with logits that knows nothing but the first label."""
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, SIDE, SIDE, 3), "image")
        kernel = tf.constant(np.full((3, 3), 1e-4, np.float32))
        bias = tf.constant(np.array([1, 0.5, 0], np.float32))
        tf.nn.softmax(tf.matmul(tf.reduce_mean(image, (1, 2)), kernel) + bias, name="probabilities")
    path = tmp_path / "member.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    golden = {paint(tmp_path / "1_日.png", "日"): "日"}
    facts = {
        "name": "tiny", "version": "1", "licence": "Ours.", "labels": LABELS,
        "input": {"height": SIDE, "width": SIDE}, "engines": {"openvino": 1.0},
        "isnull": {"label": "isnull", "threshold": 1.0}, "accuracy": {}, "provenance": {},
    }  # fmt: skip
    return pack(tmp_path / "bundle", [path], golden, facts).folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(24):
        label = LABELS[number % 2]
        paint(folder / f"{number}_{label}.png", label)
    return folder


def adopted(bundle: Path, data: Path, tmp_path: Path, **how: Any) -> Bundle:
    return adopt(
        *(
            bundle,
            line_reader(tmp_path / "reader.onnx"),
            data,
            tmp_path / "cache",
            tmp_path / "out",
        ),
        version="2",
        licence="Theirs.",
        **how,
    )


def test_a_reader_of_lines_is_a_member_like_any_other(
    bundle: Path, data: Path, tmp_path: Path
) -> None:
    made = adopted(bundle, data, tmp_path)
    assert (made.id, made.manifest.licence) == ("tiny/2", "Ours. Theirs.")
    assert made.manifest.provenance["adopted"]["reader"] == "reader.onnx"
    blue = paint(tmp_path / "blue.png", "月").read_bytes()
    for engine in ENGINES:
        ensemble = Ensemble.load(made.folder, engine, 1)
        assert (ensemble.size, ensemble.read(blue).answer) == (2, "月")


def test_a_reader_may_see_characters_wider(bundle: Path, data: Path, tmp_path: Path) -> None:
    """A red edge of 6 px is half a column of 8 px where 96 px become 64, and less where 48."""
    made = adopted(bundle, data, tmp_path, instead_of=1, width=64)
    assert made.manifest.provenance["adopted"]["width"] == 64
    wide = Ensemble.load(made.folder, "openvino", 1).networks[0]
    shutil.rmtree(made.folder)
    square = Ensemble.load(adopted(bundle, data, tmp_path, instead_of=1).folder, "openvino", 1)
    image = np.tile(np.float32(COLOURS["月"]), (SIDE, SIDE, 1))
    image[:, :6] = COLOURS["日"]
    assert wide(image)[0] > square.networks[0](image)[0] + 0.2
    with pytest.raises(DataError, match="cannot take pictures of 48 x 0 px"):
        adopted(bundle, data, tmp_path, width=0)


def test_it_says_isnull_of_a_character_that_is_none_of_the_labels(
    bundle: Path, data: Path, tmp_path: Path
) -> None:
    made = adopted(bundle, data, tmp_path, instead_of=1)
    (network,) = Ensemble.load(made.folder, "openvino", 1).networks
    said = {
        character: network(np.tile(np.float32(colour), (SIDE, SIDE, 1)))
        for character, colour in COLOURS.items()
    }
    likeliest = {character: LABELS[int(told.argmax())] for character, told in said.items()}
    assert likeliest == {"日": "日", "月": "月", "木": "isnull"}


def test_it_has_no_head_and_keeps_its_probabilities(
    bundle: Path, data: Path, tmp_path: Path
) -> None:
    made = adopted(bundle, data, tmp_path)
    again = recalibrate(made.folder, data, tmp_path / "cache", tmp_path / "again", "3")
    for each in (made, again):
        graphs = [null_head.load(each.path(member.graph)) for member in each.manifest.members]
        assert sorted(null_head.head_of(graph) is not None for graph in graphs) == [False, True]
        assert sorted(map(null_head.has_logits, graphs)) == [False, True]


@pytest.mark.parametrize(
    ("characters", "why"),
    [("", "does not tell which characters"), ("日\n木", "does not know 1 of the labels: .'月'")],
)
def test_who_does_not_know_the_labels_is_refused(
    characters: str, why: str, bundle: Path, data: Path, tmp_path: Path
) -> None:
    reader = line_reader(tmp_path / "reader.onnx", characters)
    with pytest.raises(DataError, match=why):
        adopt(bundle, reader, data, tmp_path / "cache", tmp_path / "out", version="2")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("characters", ["日\n木\n月", "日\n木\nA"])
def test_a_reader_learns_the_labels_before(characters: str, bundle: Path, tmp_path: Path) -> None:
    """Given one that takes blue for the first label, and red for the second or for a letter."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(700):
        label = LABELS[number % 2]
        paint(folder / f"{number}_{label}.png", {"日": "月", "月": "日"}[label])
    names = load_for(Bundle.open(bundle), folder, tmp_path / "cache")
    learnt = Settings.of(LABELS, names, SIDE, 0.2, 0)
    facts = Bundle.open(bundle).manifest.model_dump(exclude={"members", "golden"})
    facts["provenance"] = {"data": {"names_sha256": learnt.data, "held_out": 0.2}}
    golden = {tmp_path / "1_日.png": "月"}
    known = pack(tmp_path / "known", [tmp_path / "member.pb"], golden, facts).folder
    reader = line_reader(tmp_path / "reader.onnx", characters)

    def taught(name: str, epochs: int, rate: float, after: Path | None = None) -> Any:
        lessons = Lessons(epochs, rate)
        bundle = adopt(
            *(known, reader, folder, tmp_path / "cache", tmp_path / name),
            version="2",
            instead_of=1,
            teaching=Teaching(lessons, tmp_path / f"{name}-run", after=after),
        )
        return bundle.manifest.provenance["adopted"]["taught"]

    def answers(name: str) -> list[str]:
        (network,) = Ensemble.load(tmp_path / name, "openvino", 1).networks
        images = [np.tile(np.float32(COLOURS[each]), (SIDE, SIDE, 1)) for each in ("日", "月")]
        return [LABELS[int(network(image).argmax())] for image in images]

    first = taught("out", 8, 0.05)
    assert first == {"images": 560, "steps": 32, "epochs": 8, "rate": 0.05, "seed": 1}
    assert answers("out") == ["月", "日"]
    # Its state is that of the end: nothing is left to learn.
    assert taught("out", 8, 0.05) == first
    # Another training may begin with that; it would learn next to nothing by itself.
    taught("after", 1, 1e-6, after=tmp_path / "out-run")
    assert answers("after") == ["月", "日"]
    with pytest.raises(DataError, match="0 images are left to learn from"):
        adopt(
            *(bundle, reader, folder, tmp_path / "cache", tmp_path / "other"),
            version="2",
            teaching=Teaching(Lessons(1, 2e-4), tmp_path / "other-run"),
        )


def test_what_an_engine_reads_otherwise_is_told_before_it_learns(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(*_: Any) -> dict[str, float]:
        raise ExportError("openvino answers as tensorflow on only 97 % of the images")

    monkeypatch.setattr("model.training.adopt.engine_agreement", differs)
    with pytest.raises(ExportError, match="97 % of the images, before it learnt anything: try"):
        adopted(bundle, data, tmp_path, teaching=Teaching(Lessons(1, 2e-4), tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_nobody_goes_who_is_not_there(bundle: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tiny/1 has no member 2, but 1 of them"):
        adopted(bundle, data, tmp_path, instead_of=2)
