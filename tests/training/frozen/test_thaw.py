from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.bundle import Bundle
from model.packing import pack
from model.training.choices import Storage
from model.training.errors import DataError
from model.training.fit import network
from model.training.frozen import freeze as freezing
from model.training.frozen.freeze import freeze
from model.training.frozen.parity import compare, frozen_answers, network_answers
from model.training.frozen.thaw import thaw, thaw_bundle
from tests.training.world import LABELS, tiny_network, trained_network

CLASSES = len(LABELS)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)


def bundle(folder: Path, graph: tf.compat.v1.GraphDef, size: int = 32) -> Bundle:
    """A bundle of one member; its golden image is never read here."""
    path, golden = folder / "member.pb", folder / "golden.jpg"
    path.write_bytes(graph.SerializeToString())
    golden.write_bytes(b"picture")
    facts = {
        "name": "tiny", "version": "1", "labels": LABELS, "licence": "none",
        "input": {"height": size, "width": 32}, "engines": {"tensorflow": 1.0},
        "accuracy": {}, "provenance": {},
    }  # fmt: skip
    return pack(folder / "bundle", [path], {golden: "A"}, facts)


@pytest.mark.parametrize("storage", get_args(Storage))
def test_a_thawed_network_answers_as_its_graph(
    storage: Storage, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in vars(freezing) if name.startswith("LEAST_")]:
        monkeypatch.setattr(freezing, name, 0)  # or so tiny kernels would not be rounded
    graph = freeze(trained_network(CLASSES, images), storage)

    (model,) = thaw_bundle(bundle(tmp_path, graph))

    answers = frozen_answers(graph, images)
    assert len(set(answers.argmax(axis=1))) > 1
    assert compare(answers, network_answers(model, images)).largest_difference < 1e-4


def test_frozen_once_more_it_stays_what_it_is(images: np.ndarray) -> None:
    graph = freeze(trained_network(CLASSES, images), "fp32")

    again = freeze(thaw(graph, CLASSES, 32, "tiny/1"), "fp32")

    np.testing.assert_allclose(
        frozen_answers(again, images), frozen_answers(graph, images), atol=1e-5
    )


def pooled() -> keras.Model:
    image = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, keras.layers.Dense(CLASSES)(pooled))


def without_its_last_bias(images: np.ndarray) -> tf.compat.v1.GraphDef:
    """The ops of ours, but one bias is added to something else."""
    graph = freeze(trained_network(CLASSES, images), "fp32")
    (softmax,) = [node for node in graph.node if node.op == "Softmax"]
    (matmul,) = [node for node in graph.node if node.op == "MatMul"]
    softmax.input[0] = matmul.name
    return graph


def test_graphs_that_were_not_made_here_are_refused(images: np.ndarray) -> None:
    with pytest.raises(DataError, match="tiny/1 cannot be tuned"):
        thaw(freeze(pooled(), "fp32"), CLASSES, 32, "tiny/1")
    with pytest.raises(DataError, match="cannot be tuned"):
        thaw(freeze(trained_network(CLASSES, images), "fp32"), CLASSES + 1, 32, "tiny/1")


def test_a_graph_that_answers_otherwise_is_refused(images: np.ndarray) -> None:
    graph = without_its_last_bias(images)
    scaled = graph.node.add(name="more", op="Mul")
    (softmax,) = [node for node in graph.node if node.op == "Softmax"]
    source = softmax.input[0]
    scaled.input.extend([source, source])
    scaled.attr["T"].type = tf.float32.as_datatype_enum
    softmax.input[0] = "more"

    with pytest.raises(DataError, match="cannot be tuned"):
        thaw(graph, CLASSES, 32, "tiny/1")


def test_files_that_hold_no_harmless_graph_are_refused(tmp_path: Path) -> None:
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="read", op="ReadFile")

    with pytest.raises(DataError, match="cannot be tuned"):
        thaw_bundle(bundle(tmp_path, graph))


def test_a_bundle_of_other_than_square_images_is_refused(
    images: np.ndarray, tmp_path: Path
) -> None:
    graph = freeze(trained_network(CLASSES, images), "fp32")

    with pytest.raises(DataError, match="cannot be tuned"):
        thaw_bundle(bundle(tmp_path, graph, size=64))
