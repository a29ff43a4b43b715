from pathlib import Path

import keras
import numpy as np
import pytest

from model.training.errors import ExportError
from model.training.export import compare, frozen_answers, network_answers, op_types, publish
from model.training.freeze import IMAGE, PROBABILITIES, SMALLEST_FP16, Storage, freeze, quantise
from tests.training.world import tiny_network

OPS = {
    "AddV2", "BiasAdd", "Cast", "Const", "Conv2D", "DepthwiseConv2dNative", "MatMul", "Mean",
    "Mul", "Pad", "Placeholder", "Reshape", "Sigmoid", "Softmax",
}  # fmt: skip


@pytest.fixture(scope="module")
def network(images: np.ndarray) -> keras.Model:
    """Random weights, batch norms that do something, answers that differ between images."""
    keras.utils.set_random_seed(5)
    model = tiny_network(6, 32)
    rng = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    kernel, bias = model.layers[-1].get_weights()
    middle = model(images.astype(np.float32)).numpy().mean(axis=0)
    model.layers[-1].set_weights([kernel * 5, (bias - middle) * 5])
    return model


@pytest.fixture(autouse=True)
def int8_for_all_but_tiny_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.freeze.SMALLEST_INT8", SMALLEST_FP16)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(6)
    colours = rng.integers(0, 256, (40, 1, 1, 3))
    return np.clip(colours + rng.normal(0, 40, (40, 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("storage", "limit"), [("fp32", 1e-5), ("fp16", 0.01), ("int8", 0.1)])
def test_tensorflow_answers_as_the_network(
    network: keras.Model, images: np.ndarray, storage: Storage, limit: float
) -> None:
    reference = network_answers(network, images)
    parity = compare(reference, frozen_answers(freeze(network, storage), images))

    assert len(set(reference.argmax(axis=1))) > 1
    assert parity.images == 40
    assert parity.largest_difference < limit


@pytest.mark.parametrize("storage", ["fp32", "fp16", "int8"])
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
    graph = freeze(network, "int8")
    nodes = {node.name: node.op for node in graph.node}

    assert nodes[IMAGE] == "Placeholder"
    assert nodes[PROBABILITIES] == "Softmax"
    assert set(op_types(graph)) == OPS


def test_small_storage_is_small(network: keras.Model) -> None:
    sizes = {kind: len(freeze(network, kind).SerializeToString()) for kind in ("int8", "fp32")}

    assert sizes["int8"] < 0.65 * sizes["fp32"]


def test_unknown_layers_are_refused() -> None:
    image = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalMaxPooling2D()(image)

    with pytest.raises(ExportError, match="GlobalMaxPooling2D"):
        freeze(keras.Model(image, pooled), "fp32")


def test_rounding_errs_by_less_than_a_step_of_each_channel() -> None:
    kernel = np.random.default_rng(0).normal(0, [0.01, 1, 100], (64, 3)).astype(np.float32)

    whole, scale = quantise(kernel, 1)

    assert whole.dtype == np.int8
    error = np.abs(whole * scale - kernel)
    assert (np.median(error, axis=0) < scale.ravel() / 2).all()


def test_publishing_replaces_the_folder_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, {"members/1.pb": b"1", "members/2.pb": b"2"})
    publish(out, {"members/1.pb": b"new"})

    assert (out / "members" / "1.pb").read_bytes() == b"new"
    assert not (out / "members" / "2.pb").exists()
    assert list(tmp_path.iterdir()) == [out]


def test_failed_publishing_leaves_the_old_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, {"a": b"old"})

    with pytest.raises(ExportError, match="cannot write"):
        publish(out, {"a": b"new", "a/b": b"no folder of this name can be made"})

    assert (out / "a").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]
