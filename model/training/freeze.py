"""Freezing: a Keras network becomes a TensorFlow graph of a few plain ops with small weights.

The graph reads `image` float32 (n, size, size, 3), RGB 0-255, and gives `probabilities` float32
(n, classes). It is written op by op instead of traced from Keras, so that batch norms are folded
into the kernels before they are rounded and so that a loader can refuse every op it does not know.
Kernels are stored as int8 with a scale for every output channel, or as 16-bit floats, and made
float32 inside the graph, where an engine folds them when it loads the file. Kernels of the first
blocks are small but all errors pass through them: as int8 they change four times the answers
that all the others do, to save 4 % of the file.
"""

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.training.errors import ExportError

IMAGE, PROBABILITIES = "image", "probabilities"
SMALLEST_FP16, SMALLEST_INT8 = 1_024, 20_000
Storage = Literal["int8", "fp16", "fp32"]
Activation = Callable[[tf.Tensor], tf.Tensor]
Floats = npt.NDArray[np.float32]


def freeze(model: keras.Model, storage: Storage) -> tf.compat.v1.GraphDef:
    """The network of logits, of one input size, as a frozen graph of probabilities.

    With `int8` the small kernels and those of depthwise convolutions are stored as 16-bit floats.
    Raises ExportError for a kind of layer that the network of a member lacks.
    """
    writer = _Writer(model, storage)
    graph = tf.Graph()
    with graph.as_default():
        logits = writer.write()
        tf.nn.softmax(logits, name=PROBABILITIES)
    return graph.as_graph_def()


class _Writer:
    """Writes the layers of one network into the graph that is open.

    Weights are read when it is made: inside the open graph variables have no values.
    """

    def __init__(self, model: keras.Model, storage: Storage) -> None:
        self._model, self._storage = model, storage
        self._weights = {id(layer): layer.get_weights() for layer in model.layers}
        self._norms = {
            id(layer.input): layer
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        }

    def write(self) -> tf.Tensor:
        """All layers in order; returns the tensor of logits."""
        source, result = self._model.input, self._model.output
        image = tf.compat.v1.placeholder(tf.float32, (None, *source.shape[1:]), IMAGE)
        tensors = {id(source): image}
        for layer in self._model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            sources = layer.input if isinstance(layer.input, list) else [layer.input]
            tensors[id(layer.output)] = self._layer(layer, [tensors[id(s)] for s in sources])
        return tensors[id(result)]

    def _layer(self, layer: keras.Layer, inputs: list[tf.Tensor]) -> tf.Tensor:
        kinds: dict[type[keras.Layer], Callable[[keras.Layer, tf.Tensor], tf.Tensor]] = {
            keras.layers.Rescaling: self._rescaling,
            keras.layers.Normalization: self._normalization,
            keras.layers.ZeroPadding2D: self._padding,
            keras.layers.Conv2D: self._convolution,
            keras.layers.DepthwiseConv2D: self._depthwise,
            keras.layers.BatchNormalization: lambda _, value: value,  # is in the kernel before it
            keras.layers.Dropout: lambda _, value: value,
            keras.layers.Activation: lambda layer, value: _activate(value, layer.activation),
            keras.layers.GlobalAveragePooling2D: lambda _, value: tf.reduce_mean(value, (1, 2)),
            keras.layers.Reshape: lambda layer, value: tf.reshape(value, (-1, *layer.target_shape)),
            keras.layers.Dense: self._dense,
        }
        if isinstance(layer, keras.layers.Multiply):
            return tf.multiply(*inputs)
        if isinstance(layer, keras.layers.Add):
            return tf.add(*inputs)
        if type(layer) not in kinds:
            raise ExportError(f"cannot freeze the layer {layer.name} ({type(layer).__name__})")
        return kinds[type(layer)](layer, inputs[0])

    def _rescaling(self, layer: keras.layers.Rescaling, value: tf.Tensor) -> tf.Tensor:
        return value * tf.constant(layer.scale, tf.float32) + tf.constant(layer.offset, tf.float32)

    def _normalization(self, layer: keras.layers.Normalization, value: tf.Tensor) -> tf.Tensor:
        mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
        gain = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
        return value * tf.constant(gain) + tf.constant(-mean * gain)

    def _padding(self, layer: keras.layers.ZeroPadding2D, value: tf.Tensor) -> tf.Tensor:
        return tf.pad(value, [(0, 0), *layer.padding, (0, 0)])

    def _convolution(self, layer: keras.layers.Conv2D, value: tf.Tensor) -> tf.Tensor:
        kernel, bias = self._folded(layer, channel=3)
        stored, scale = self._stored(kernel, 3)
        value = tf.nn.conv2d(value, stored, layer.strides, layer.padding.upper())
        return _finish(value, scale, bias, layer.activation)

    def _depthwise(self, layer: keras.layers.DepthwiseConv2D, value: tf.Tensor) -> tf.Tensor:
        kernel, bias = self._folded(layer, channel=2)
        stored, scale = self._stored(kernel, None)
        value = tf.raw_ops.DepthwiseConv2dNative(
            input=value,
            filter=stored,
            strides=(1, *layer.strides, 1),
            padding=layer.padding.upper(),
        )
        return _finish(value, scale, bias, layer.activation)

    def _dense(self, layer: keras.layers.Dense, value: tf.Tensor) -> tf.Tensor:
        kernel, bias = self._weights[id(layer)]
        stored, scale = self._stored(kernel, 1)
        return _finish(tf.matmul(value, stored), scale, bias, layer.activation)

    def _folded(self, layer: keras.Layer, channel: int) -> tuple[Floats, Floats]:
        """Kernel and bias of a convolution with the batch norm that follows it worked in."""
        kernel, *biases = self._weights[id(layer)]
        bias = biases[0] if biases else np.zeros(kernel.shape[channel])
        norm = self._norms.get(id(layer.output))
        if norm is not None:
            gamma, beta, mean, variance = self._weights[id(norm)]
            gain = gamma / np.sqrt(variance + norm.epsilon)
            kernel = kernel * gain.reshape([-1 if axis == channel else 1 for axis in range(4)])
            bias = beta + (bias - mean) * gain
        return kernel.astype(np.float32), bias.astype(np.float32)

    def _stored(self, kernel: Floats, channel: int | None) -> tuple[tf.Tensor, Floats | None]:
        """The kernel as float32 made from what is stored, and what its output is to be scaled by.

        `channel` is the axis with a scale each; without it the kernel is never stored as int8.
        """
        if self._storage == "fp32" or kernel.size < SMALLEST_FP16:
            return tf.constant(kernel), None
        if self._storage == "fp16" or channel is None or kernel.size < SMALLEST_INT8:
            return tf.cast(tf.constant(kernel.astype(np.float16)), tf.float32), None
        whole, scale = quantise(kernel, channel)
        return tf.cast(tf.constant(whole), tf.float32), scale.ravel()


def quantise(kernel: Floats, channel: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers -127..127 and, for each channel, the scale with the least square error."""
    others = tuple(axis for axis in range(kernel.ndim) if axis != channel)
    largest = np.maximum(np.abs(kernel).max(axis=others, keepdims=True), 1e-12)
    best, least = largest / 127, np.full(largest.shape, np.inf)
    for share in np.linspace(0.6, 1.0, 21):
        scale = largest * share / 127
        rounded = np.clip(np.round(kernel / scale), -127, 127) * scale
        error = np.square(rounded - kernel).sum(axis=others, keepdims=True)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    whole = np.clip(np.round(kernel / best), -127, 127).astype(np.int8)
    return whole, best.astype(np.float32)


def _finish(
    value: tf.Tensor, scale: Floats | None, bias: Floats, activation: Activation
) -> tf.Tensor:
    """Scale, bias and activation behind a kernel.

    The scale stands behind the kernel and not in it: OpenVINO takes a scaled int8 kernel for one
    to compute with at low precision, and fails to compile it for the kernels of 1 x 1 pictures.
    """
    if scale is not None:
        value = value * tf.constant(scale)
    return _activate(tf.nn.bias_add(value, tf.constant(bias)), activation)


def _activate(value: tf.Tensor, activation: Activation) -> tf.Tensor:
    kind = activation.__name__
    if kind == "linear":
        return value
    if kind in ("silu", "swish"):
        return value * tf.sigmoid(value)
    if kind == "sigmoid":
        return tf.sigmoid(value)
    raise ExportError(f"cannot freeze the activation {kind}")
