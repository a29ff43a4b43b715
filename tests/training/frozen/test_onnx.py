"""Networks in ONNX's form, computed by TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from model.training.errors import DataError
from model.training.frozen.onnx import OnnxNetwork

SIDE = 16
RNG = np.random.default_rng(3)


def write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    shape: tuple[int | str, ...] = ("n", 3, SIDE, SIDE),
    **metadata: str,
) -> Path:
    """A file of a network from `image` to `out`."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.5, shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def everything(path: Path) -> Path:
    """A network of every operation that is known."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "kernel", "bias"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", "gain", "shift", "mean", "variance"], ["b"]),
        node("Max", ["b", "lowest"], ["over"]),
        node("Min", ["over", "two"], ["under"]),
        node("Relu", ["under"], ["c"]),
        node("Conv", ["c", "depthwise"], ["d"], group=8, pads=[0, 1, 2, 1]),
        node("HardSigmoid", ["d"], ["e"], alpha=0.2, beta=0.5),
        node("Mul", ["d", "e"], ["f"]),
        node("MaxPool", ["f"], ["g"], kernel_shape=[2, 2], pads=[0, 0, 1, 1], strides=[2, 2]),
        node("AveragePool", ["f"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", ["g", "h"], ["i"], axis=1),
        node("ReduceMean", ["i"], ["j"], axes=[2, 3], keepdims=1),
        node("Sigmoid", ["j"], ["k"]),
        node("Mul", ["i", "k"], ["l"]),
        node("Reshape", ["l", "columns"], ["m"]),
        node("Transpose", ["m"], ["o"], perm=[0, 2, 1]),
        node("ReduceMean", ["o"], ["p"], axes=[-1], keepdims=1),
        node("Sub", ["o", "p"], ["q"]),
        node("Pow", ["q", "two"], ["r"]),
        node("ReduceMean", ["r"], ["s"], axes=[-1], keepdims=1),
        node("Add", ["s", "little"], ["t"]),
        node("Sqrt", ["t"], ["u"]),
        node("Div", ["q", "u"], ["v"]),
        node("Erf", ["v"], ["w"]),
        node("MatMul", ["w", "wide"], ["x"]),
        node("Unsqueeze", ["x", "second"], ["y"]),
        node("Slice", ["y", "from", "to", "last"], ["z"]),
        node("Squeeze", ["z", "second"], ["aa"]),
        node("Identity", ["aa"], ["ab"]),
        node("Unsqueeze", ["ab", "first"], ["ac"]),
        node("Mul", ["ac", "two"], ["ad"]),
        node("Squeeze", ["ad", "first"], ["ae"]),
        node("Softmax", ["ae"], ["out"], axis=2),
    ]
    constants = {
        "kernel": floats(8, 3, 3, 3), "bias": floats(8), "gain": floats(8), "shift": floats(8),
        "mean": floats(8), "variance": floats(8) ** 2 + 0.1, "depthwise": floats(8, 1, 3, 3),
        "columns": whole(0, 16, -1), "two": np.float32(2).reshape(()),
        "little": np.float32(1e-5).reshape(()), "wide": floats(16, 10), "second": whole(1),
        "first": whole(0),
        "lowest": np.float32(-0.5).reshape(()),
        "from": whole(2), "to": whole(7), "last": whole(3),
    }  # fmt: skip
    return write(path, nodes, constants)


def test_every_operation_gives_what_it_gives_elsewhere(tmp_path: Path) -> None:
    path = everything(tmp_path / "network.onnx")
    pictures = RNG.uniform(-1, 1, (3, SIDE, SIDE, 3)).astype(np.float32)
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = model([np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))])[0]

    network = OnnxNetwork(path)

    assert network.size == (SIDE, SIDE)
    spec = tf.TensorSpec((None, SIDE, SIDE, 3))
    found = tf.function(network, input_signature=[spec])(pictures).numpy()
    assert found.shape == expected.shape == (3, expected.shape[1], 5)
    assert np.abs(found - expected).max() < 1e-5


def test_of_a_network_for_any_size_the_size_is_said(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["image"], ["out"])
    path = write(tmp_path / "any.onnx", [node], {}, ("n", 3, "h", "w"), makers="us")
    with pytest.raises(DataError, match="any size: say which"):
        OnnxNetwork(path)
    network = OnnxNetwork(path, (24, 24))
    assert network.size == (24, 24)
    assert (network.note("makers"), network.note("nobody")) == ("us", None)


@pytest.mark.parametrize(
    ("shape", "size", "why"),
    [
        (("n", 1, SIDE, SIDE), None, "expected .images, 3, height, width., RGB"),
        (("n", SIDE), None, "expected .images, 3, height, width., RGB"),
        (("n", 3, SIDE, SIDE), (32, 64), "16 x 16 px, not of 32 x 64"),
        (("n", 3, "h", "w"), (-8, 16), "cannot take pictures of -8 x 16 px"),
    ],
)
def test_other_inputs_are_refused(
    shape: tuple[int | str, ...], size: tuple[int, int] | None, why: str, tmp_path: Path
) -> None:
    node = helper.make_node("Relu", ["image"], ["out"])
    with pytest.raises(DataError, match=why):
        OnnxNetwork(write(tmp_path / "other.onnx", [node], {}, shape), size)


def test_what_is_not_known_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Cos", ["image"], ["out"])
    network = OnnxNetwork(write(tmp_path / "odd.onnx", [node], {}))
    with pytest.raises(DataError, match="computes Cos, which cannot be taken over"):
        network(np.zeros((1, SIDE, SIDE, 3), np.float32))


def test_what_is_no_onnx_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    path.write_bytes(b"not at all")
    with pytest.raises(DataError, match="cannot be read as ONNX"):
        OnnxNetwork(path)
