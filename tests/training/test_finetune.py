"""From a bundle and new images to a better bundle, or to none."""

import argparse
import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from model.bundle import Bundle
from model.errors import BundleInvalid
from model.packing import pack
from model.training.commands import add_commands
from model.training.data.dataset import load
from model.training.errors import DataError
from model.training.finetune import Wanted, finetune, next_version
from model.training.fit import network
from model.training.fit.tuner import Budget
from model.training.frozen import graph_network, release
from model.training.frozen.freeze import freeze
from model.training.frozen.thaw import read_graph
from model.training.import_ import import_models
from model.training.judge.lettering import Lettering
from tests.training.world import FACTS, LABELS, tiny_network

INKS = {"A": "darkred", "O": "darkgreen", "X": "navy"}
SHORT = Budget(seconds=1e6, epochs=2, rate=1e-4)


def paint(folder: Path, count: int) -> Path:
    """Images `<id>_<label>.jpg` in turn of every label, each in an ink of its own."""
    folder.mkdir()
    for index in range(count):
        label = LABELS[index % 3]
        picture = Image.new("RGB", (40 + index % 7, 67), (250, 240, 230))
        ImageDraw.Draw(picture).text(
            (4 + index % 5, 5), label, INKS[label], font_size=56, stroke_width=4
        )
        picture.save(folder / f"{index}_{label}.jpg")
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A member that reads the painted characters, by their ink at least."""
    folder = tmp_path_factory.mktemp("trained")
    known = load(paint(folder / "images", 24), LABELS, 32, folder / "cache")
    keras.utils.set_random_seed(1)
    model = tiny_network(len(LABELS), 32)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(np.array(known.images), known.targets, 24, 30, verbose=0)
    path = folder / "1.pb"
    path.write_bytes(freeze(model, "fp32").SerializeToString())
    return path


@pytest.fixture
def make(graph: Path, tmp_path: Path) -> Callable[[str], Bundle]:
    """Makes a bundle of that member; its golden image shows an X and has this answer."""

    def made(answer: str) -> Bundle:
        golden = tmp_path / "golden.jpg"
        shutil.copy(paint(tmp_path / "golden", 3) / "2_X.jpg", golden)
        return pack(tmp_path / "bundle", [graph], {golden: answer}, FACTS)

    return made


def mislabel(folder: Path, name: str, label: str) -> None:
    (folder / name).rename(folder / f"{name.partition('_')[0]}_{label}.jpg")


def test_the_command_makes_a_bundle_one_version_up_and_lists_doubts(
    make: Callable[[str], Bundle], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, data, out = make("X"), paint(tmp_path / "data", 60), tmp_path / "new"
    mislabel(data, "0_A.jpg", "X")
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(required=True))
    arguments = parser.parse_args(
        ["finetune", "--bundle", str(old.folder), "--data", str(data), "--out", str(out),
         "--held-out", "0.4", "--minutes", "0.05", "--leave-out-doubted"]
    )  # fmt: skip
    arguments.run(arguments)

    new = Bundle.open(out)
    (note,) = new.manifest.provenance["finetuned"]
    with (tmp_path / "new-notes" / "doubts.csv").open(encoding="utf-8-sig") as stream:
        (doubt,) = csv.DictReader(stream)
    assert new.id == "tiny/2"
    assert new.manifest.golden[0].answer == "X"
    assert new.manifest.provenance["by"] == "hand"
    assert new.manifest.calibration == old.manifest.calibration
    assert new.manifest.isnull == old.manifest.isnull
    assert (doubt["name"], doubt["read"]) == ("0_X.jpg", "A")
    assert note["from"] == "tiny/1"
    assert note["doubted"] == 1
    assert note["learnt"] + note["judgement"]["images"] in (59, 60)  # the doubted one may be held
    assert note["judgement"]["after"] >= note["judgement"]["before"] > 0.9
    assert "tiny/2 is in" in capsys.readouterr().out


def tune(bundle: Bundle, data: Path, folder: Path, wanted: Wanted) -> None:
    finetune(bundle, data, folder / "new", folder / "notes", folder / "cache", wanted, Lettering())


def test_a_bundle_that_reads_worse_is_not_written(
    make: Callable[[str], Bundle], tmp_path: Path
) -> None:
    destroying = Budget(seconds=1e6, epochs=2, rate=100.0)

    with pytest.raises(DataError, match=r"would read worse: \d\.\d+ before"):
        tune(make("X"), paint(tmp_path / "data", 60), tmp_path, Wanted("2", destroying, 0.4))

    assert not (tmp_path / "new").exists()
    assert (tmp_path / "notes" / "doubts.csv").exists()


def test_a_member_without_convolutions_stays_as_it_is_and_has_its_vote(
    graph: Path, tmp_path: Path
) -> None:
    with tf.Graph().as_default() as constant:
        image = tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), "image")
        shares = tf.reduce_mean(image, (1, 2)) * 0 + tf.constant([0.5, 0.3, 0.2])
        tf.pad(shares, [(0, 0), (0, 1)], name="probabilities")
    still = tmp_path / "adopted.pb"
    still.write_bytes(constant.as_graph_def().SerializeToString())
    golden = paint(tmp_path / "golden", 3) / "2_X.jpg"
    bundle = pack(tmp_path / "bundle", [still, graph], {golden: "X"}, FACTS)

    tune(bundle, paint(tmp_path / "data", 60), tmp_path, Wanted("2", SHORT, 0.4))

    tuned = Bundle.open(tmp_path / "new")
    first, second = (read_graph(tuned, member.graph.path) for member in tuned.manifest.members)
    assert first == read_graph(bundle, bundle.manifest.members[0].graph.path)
    assert second != read_graph(bundle, bundle.manifest.members[1].graph.path)
    assert tuned.manifest.provenance["finetuned"][0]["judgement"]["after"] > 0.9


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bits are too few: of every kernel nothing is left."""

    def crushed(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
        written = tf.compat.v1.GraphDef()
        written.CopyFrom(graph)
        for node in written.node:
            array = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
            if array is not None and array.ndim == 4:
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array * 0))
        return written

    def frozen(network: keras.Model, storage: str) -> tf.compat.v1.GraphDef:
        graph = freeze(network, "fp32")
        return crushed(graph) if storage == "mixed" else graph

    monkeypatch.setattr(graph_network, "rounded", crushed)
    monkeypatch.setattr(release, "freeze", frozen)


@pytest.mark.usefixtures("coarse")
def test_where_few_bits_are_too_few_a_member_keeps_them_all(
    make: Callable[[str], Bundle], tmp_path: Path
) -> None:
    tune(make("X"), paint(tmp_path / "data", 60), tmp_path, Wanted("2", SHORT, 0.4))
    tuned = Bundle.open(tmp_path / "new").manifest
    assert tuned.provenance["export"]["storage"] == "fp32"
    assert tuned.provenance["finetuned"][0]["judgement"]["after"] > 0.9


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.parametrize(
    ("ending", "fixtures"), [("softmax", []), ("shares", []), ("softmax", ["coarse"])]
)
def test_a_network_of_another_build_learns_with_its_convolutions(
    ending: str, fixtures: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Given one that was imported and knows nothing; with ``shares`` it has no logits."""
    for fixture in fixtures:
        request.getfixturevalue(fixture)
    keras.utils.set_random_seed(3)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(30, 16, strides=8, activation="relu"),  # large enough for 16 bits
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(LABELS), activation="softmax"),
        ]
    )
    if ending == "shares":
        network.add(layers.Rescaling(1 - 1e-6))
    network.save(tmp_path / "network.keras")
    images = paint(tmp_path / "images", 3)
    known = load(images, LABELS, 32, tmp_path / "cache")
    read = network(np.array(known.images, np.float32)).numpy().argmax(axis=1)
    for name in np.array(known.names)[read != known.targets]:
        # What is read must not change where it is right.
        (images / name).unlink()
    facts = {"name": "tiny", "version": "1", "licence": "none"}
    bundle = import_models(
        [tmp_path / "network.keras"], LABELS, tmp_path / "bundle", images=images, **facts
    )
    budget = Budget(seconds=1e6, epochs=60, rate=1e-2)

    tune(bundle, paint(tmp_path / "data", 60), tmp_path, Wanted("2", budget, 0.4))

    judgement = Bundle.open(tmp_path / "new").manifest.provenance["finetuned"][0]["judgement"]
    assert judgement["before"] < 0.5
    assert judgement["after"] > 0.8


def test_a_golden_image_that_is_read_otherwise_stops_the_bundle(
    make: Callable[[str], Bundle], tmp_path: Path
) -> None:
    with pytest.raises(BundleInvalid, match="reads 'X', the manifest says 'O'"):
        tune(make("O"), paint(tmp_path / "data", 60), tmp_path, Wanted("2", SHORT, 0.4))

    assert not (tmp_path / "new").exists()


def test_too_few_images_to_judge_by_are_refused(
    make: Callable[[str], Bundle], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="of 30 images 3 would be held out"):
        tune(make("X"), paint(tmp_path / "data", 30), tmp_path, Wanted("2", SHORT, 0.1))


@pytest.mark.parametrize("option", ["--minutes=0", "--minutes=nan", "--held-out=1", "--held-out=x"])
def test_bad_numbers_are_refused_by_the_parser(option: str) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(required=True))

    with pytest.raises(SystemExit):
        parser.parse_args(["finetune", "--bundle=b", "--data=d", "--out=o", option])


@pytest.mark.parametrize(
    ("version", "following"), [("1", "2"), ("2026.9", "2026.10"), ("1.0-rc", "1.0-rc.2")]
)
def test_the_next_version_is_one_up(version: str, following: str) -> None:
    assert next_version(version) == following
