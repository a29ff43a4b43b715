"""The operations of ONNX networks, as OpenVINO names them, in TensorFlow's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from model.training.errors import DataError

PICTURES = 4  # the rank of a batch of them
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


class Value(NamedTuple):
    """A tensor, and whether it is a batch of pictures whose channels have become the last."""

    tensor: Any
    last: bool = False

    def first(self) -> Any:
        """As ONNX has it."""
        return tf.transpose(self.tensor, _TO_FIRST) if self.last else self.tensor

    def channels_last(self) -> Any:
        """As a convolution needs it."""
        return self.tensor if self.last else tf.transpose(self.tensor, _TO_LAST)


Operation = Callable[[Any, list[Value]], Value]


def _padded(node: Any, value: Value, filler: float) -> Any:
    """The picture with its edges as wide as the node wants them."""
    begin, end = node.get_attributes()["pads_begin"], node.get_attributes()["pads_end"]
    if not any([*begin, *end]):
        return value.channels_last()
    edges = [(0, 0), *zip(begin, end, strict=True), (0, 0)]
    return tf.pad(value.channels_last(), edges, constant_values=filler)


def _convolution(node: Any, inputs: list[Value]) -> Value:
    kernel = tf.transpose(inputs[1].tensor, (2, 3, 1, 0))
    strides = node.get_attributes()["strides"]
    return Value(tf.nn.conv2d(_padded(node, inputs[0], 0), kernel, strides, "VALID"), last=True)


def _depthwise(node: Any, inputs: list[Value]) -> Value:
    """A kernel for each channel: (channels, 1, 1, height, width)."""
    grouped = inputs[1].tensor
    if grouped.shape[1:3] != (1, 1):
        raise DataError("convolutions in groups of several channels cannot be taken over")
    kernel = tf.transpose(grouped[:, 0], (2, 3, 0, 1))
    strides = (1, *node.get_attributes()["strides"], 1)
    picture = _padded(node, inputs[0], 0)
    return Value(tf.nn.depthwise_conv2d(picture, kernel, strides, "VALID"), last=True)


def _pool(kind: str) -> Operation:
    def pooled(node: Any, inputs: list[Value]) -> Value:
        attributes = node.get_attributes()
        filler = -np.inf if kind == "MAX" else 0
        picture = _padded(node, inputs[0], filler)
        window, strides = attributes["kernel"], attributes["strides"]
        return Value(tf.nn.pool(picture, window, kind, strides, "VALID"), last=True)

    return pooled


def _each(compute: Callable[..., Any]) -> Operation:
    """What is computed of each number alone, or of those of several tensors at the same place."""

    def computed(_: Any, inputs: list[Value]) -> Value:
        last = any(value.last for value in inputs)
        tensors = [
            value.channels_last() if last and len(value.tensor.shape) == PICTURES else value.tensor
            for value in inputs
        ]
        return Value(compute(*tensors), last)

    return computed


def _batch_norm(node: Any, inputs: list[Value]) -> Value:
    data, gamma, beta, mean, variance = inputs
    gain = gamma.tensor / np.sqrt(variance.tensor + node.get_attributes()["epsilon"])
    return Value(data.channels_last() * gain + (beta.tensor - mean.tensor * gain), last=True)


def _mean(node: Any, inputs: list[Value]) -> Value:
    data, axes = inputs
    wanted = [int(axis) % len(data.tensor.shape) for axis in np.ravel(axes.tensor)]
    if data.last:
        wanted = [_TO_LAST.index(axis) for axis in wanted]
    keep = node.get_attributes()["keep_dims"]
    return Value(tf.reduce_mean(data.tensor, wanted, keepdims=keep), data.last and keep)


def _concatenated(node: Any, inputs: list[Value]) -> Value:
    axis = node.get_attributes()["axis"]
    return Value(tf.concat([value.first() for value in inputs], axis))


def _product(node: Any, inputs: list[Value]) -> Value:
    attributes = node.get_attributes()
    turned = {"transpose_a": attributes["transpose_a"], "transpose_b": attributes["transpose_b"]}
    return Value(tf.matmul(inputs[0].first(), inputs[1].first(), **turned))


def _softmax(node: Any, inputs: list[Value]) -> Value:
    return Value(tf.nn.softmax(inputs[0].first(), node.get_attributes()["axis"]))


def _cut(_: Any, inputs: list[Value]) -> Value:
    """Slices, of which the bounds are known."""
    data, starts, stops, steps, axes = (value.first() for value in inputs)
    slices = [slice(None)] * len(data.shape)
    for start, stop, step, axis in zip(starts, stops, steps, axes, strict=True):
        slices[int(axis)] = slice(int(start), int(stop), int(step))
    return Value(data[tuple(slices)])


def _squeezed(_: Any, inputs: list[Value]) -> Value:
    return Value(tf.squeeze(inputs[0].first(), [int(axis) for axis in np.ravel(inputs[1].tensor)]))


def _unsqueezed(_: Any, inputs: list[Value]) -> Value:
    data, axes = inputs[0].first(), [int(axis) for axis in np.ravel(inputs[1].tensor)]
    rank = len(data.shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        data = tf.expand_dims(data, axis)
    return Value(data)


def _reshaped(node: Any, inputs: list[Value]) -> Value:
    """To the shape that is known, else to that which was computed: 0 is as it was.

    The network was read for one picture. Of what is no constant the first axis is that of pictures.
    """
    data, shape = inputs[0].first(), node.output(0).get_partial_shape()
    known = list(shape.to_shape()) if shape.is_static else inputs[1].tensor.tolist()
    sides = [side or data.shape[at] for at, side in enumerate(known)]
    if not isinstance(data, np.ndarray) and sides[0] in (1, None):
        sides[0] = -1
    return Value(tf.reshape(data, sides))


OPERATIONS: dict[str, Operation] = {
    "Add": _each(tf.add),
    "AvgPool": _pool("AVG"),
    "BatchNormInference": _batch_norm,
    "Concat": _concatenated,
    "Convolution": _convolution,
    "Divide": _each(tf.divide),
    "Erf": _each(tf.math.erf),
    "GroupConvolution": _depthwise,
    "HardSigmoid": _each(lambda x, slope, at_0: tf.clip_by_value(slope * x + at_0, 0.0, 1.0)),
    "Identity": lambda _, inputs: inputs[0],
    "MatMul": _product,
    "Maximum": _each(tf.maximum),
    "MaxPool": _pool("MAX"),
    "Minimum": _each(tf.minimum),
    "Multiply": _each(tf.multiply),
    "Power": _each(tf.pow),
    "ReduceMean": _mean,
    "Relu": _each(tf.nn.relu),
    "Reshape": _reshaped,
    "Sigmoid": _each(tf.sigmoid),
    "Slice": _cut,
    "Softmax": _softmax,
    "Sqrt": _each(tf.sqrt),
    "Squeeze": _squeezed,
    "Subtract": _each(tf.subtract),
    "Transpose": lambda _, inputs: Value(
        tf.transpose(inputs[0].first(), [int(axis) for axis in inputs[1].tensor])
    ),
    "Unsqueeze": _unsqueezed,
}
