from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.training.choices import Storage
from model.training.errors import ExportError
from model.training.frozen.freeze import IMAGE, PROBABILITIES, freeze
from model.training.frozen.parity import compare, frozen_answers, network_answers, op_types
from tests.training.world import trained_network

OPS = {
    "AddV2", "BiasAdd", "Cast", "Const", "Conv2D", "DepthwiseConv2dNative", "Floor", "MatMul",
    "Mean", "Mul", "Pack", "Pad", "Placeholder", "RealDiv", "Reshape", "Sigmoid", "Softmax", "Sub",
}  # fmt: skip


@pytest.fixture(scope="module")
def network(images: np.ndarray) -> keras.Model:
    return trained_network(6, images)


@pytest.fixture(autouse=True)
def every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a tiny network, too, has kernels of 16, 12 and 8 bits."""
    monkeypatch.setattr("model.training.frozen.freeze.LEAST_12", 1_100)
    monkeypatch.setattr("model.training.frozen.freeze.LEAST_8", 1_600)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(6)
    colours = rng.integers(0, 256, (40, 1, 1, 3))
    return np.clip(colours + rng.normal(0, 40, (40, 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("storage", "limit"), [("fp32", 1e-5), ("mixed", 0.03)])
def test_tensorflow_answers_as_the_network(
    network: keras.Model, images: np.ndarray, storage: Storage, limit: float
) -> None:
    reference = network_answers(network, images)
    parity = compare(reference, frozen_answers(freeze(network, storage), images))

    assert len(set(reference.argmax(axis=1))) > 1
    assert parity.images == 40
    assert parity.largest_difference < limit


@pytest.mark.parametrize("storage", ["fp32", "mixed"])
def test_openvino_answers_as_tensorflow(
    network: keras.Model, images: np.ndarray, storage: Storage, tmp_path: Path
) -> None:
    openvino = pytest.importorskip("openvino")
    graph = freeze(network, storage)
    path = tmp_path / "1.pb"
    path.write_bytes(graph.SerializeToString())

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = np.concatenate([compiled([image[None].astype(np.float32)])[0] for image in images])

    assert compare(frozen_answers(graph, images), answers).agreement == 1
    np.testing.assert_allclose(answers, frozen_answers(graph, images), atol=1e-5)


def test_graph_has_the_named_ends_and_known_ops_alone(network: keras.Model) -> None:
    graph = freeze(network, "mixed")
    nodes = {node.name: node.op for node in graph.node}

    assert nodes[IMAGE] == "Placeholder"
    assert nodes[PROBABILITIES] == "Softmax"
    assert set(op_types(graph)) == OPS


def test_mixed_storage_is_small(network: keras.Model) -> None:
    sizes = {kind: len(freeze(network, kind).SerializeToString()) for kind in ("mixed", "fp32")}

    assert sizes["mixed"] < 0.75 * sizes["fp32"]


def stored(network: keras.Model) -> dict[int, set[str]]:
    """By number of weights, in which types kernels and their parts are stored."""
    found: dict[int, set[str]] = {}
    for node in freeze(network, "mixed").node:
        if node.op == "Const":
            value = tf.make_ndarray(node.attr["value"].tensor)
            if value.size >= 500:
                found.setdefault(value.size, set()).add(value.dtype.name)
    return found


def test_kernels_get_bits_by_size_and_place(network: keras.Model) -> None:
    """1,080: the first; 1,200: squeeze and excite; 1,600: the end of the residual branch."""
    assert stored(network) == {
        1_080: {"int16"},
        1_200: {"int8"}, 600: {"uint8"},
        1_600: {"int8"},
        1_000: {"float32"},
    }  # fmt: skip


def test_a_large_kernel_without_a_bypass_keeps_twelve_bits() -> None:
    image = keras.Input((32, 32, 3))
    value = keras.layers.Conv2D(40, 3, padding="same")(image)
    value = keras.layers.Conv2D(41, 1)(value)
    value = keras.layers.GlobalAveragePooling2D()(value)

    assert stored(keras.Model(image, value))[1_640] == {"int8"}
    assert stored(keras.Model(image, value))[820] == {"uint8"}


def test_unknown_layers_are_refused() -> None:
    image = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalMaxPooling2D()(image)

    with pytest.raises(ExportError, match="GlobalMaxPooling2D"):
        freeze(keras.Model(image, pooled), "fp32")
