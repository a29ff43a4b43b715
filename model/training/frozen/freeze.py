"""Freezing: a Keras network becomes a TensorFlow graph of a few plain ops with small weights.

The graph reads `image` float32 (n, size, size, 3), RGB 0-255, and gives `probabilities` float32
(n, classes). It is written op by op instead of traced from Keras, so that batch norms are folded
into the kernels before they are rounded and so that a loader can refuse every op it does not know.

Kernels are stored as whole numbers with a scale for every output channel, and made float32 inside
the graph, where an engine folds them when it loads the file. How many bits a kernel needs differs a
hundredfold: all errors pass through the small kernels of the first blocks, while past the large
ones of a residual branch the answer also goes by the shortcut. With 16, 12 and 8 bits given out
accordingly a member takes 7.3 MB and errs less than with 16-bit floats everywhere, which take 10.2.
"""

import itertools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from model.detection import FOUND
from model.training.choices import Storage
from model.training.errors import ExportError
from model.training.frozen.rounding import Floats, stored
from model.training.pages.network import HEATS

IMAGE, PROBABILITIES = "image", "probabilities"
# The number of weights from which a kernel is rounded: to 16 bits, to 12, and to 8.
LEAST_16, LEAST_12, LEAST_8 = 1_024, 20_000, 200_000
Activation = Callable[[tf.Tensor], tf.Tensor]


def freeze(model: keras.Model, storage: Storage) -> tf.compat.v1.GraphDef:
    """The network of logits, of one input size, as a frozen graph of probabilities.

    `fp32` stores every weight as it is, in 20 MB a member.
    Raises ExportError for a kind of layer that the network of a member lacks.
    """
    writer = _Writer(model, storage)
    graph = tf.Graph()
    with graph.as_default():
        logits = writer.write()
        tf.nn.softmax(logits, name=PROBABILITIES)
    return graph.as_graph_def()


def freeze_detector(model: keras.Model) -> tf.compat.v1.GraphDef:
    """The network of ``model.training.pages`` as a frozen graph that takes pictures of any size."""
    writer = _Writer(model, "mixed")
    graph = tf.Graph()
    with graph.as_default():
        logits = writer.write()
        heats, sides = logits[..., :HEATS], logits[..., HEATS:]
        tf.concat([tf.sigmoid(heats), sides], -1, name=FOUND)
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
        self._bypassed = _bypassed(model)

    def write(self) -> tf.Tensor:
        """All layers in order; returns the tensor of logits."""
        source, result = self._model.input, self._model.output
        image = tf.compat.v1.placeholder(tf.float32, (None, *source.shape[1:]), IMAGE)
        tensors = {id(source): image}
        for layer in self._model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            inputs = [tensors[id(source)] for source in _sources(layer)]
            tensors[id(layer.output)] = self._layer(layer, inputs)
        return tensors[id(result)]

    def _layer(self, layer: keras.Layer, inputs: list[tf.Tensor]) -> tf.Tensor:
        kinds: dict[type[keras.Layer], Callable[[keras.Layer, tf.Tensor], tf.Tensor]] = {
            keras.layers.Rescaling: self._rescaling,
            keras.layers.Normalization: self._normalization,
            keras.layers.ZeroPadding2D: self._padding,
            keras.layers.Conv2D: self._convolution,
            keras.layers.DepthwiseConv2D: self._depthwise,
            keras.layers.UpSampling2D: _enlarge,
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
        numbers, scale = self._stored(layer, kernel, 3)
        value = tf.nn.conv2d(value, numbers, layer.strides, layer.padding.upper())
        return _finish(value, scale, bias, layer.activation)

    def _depthwise(self, layer: keras.layers.DepthwiseConv2D, value: tf.Tensor) -> tf.Tensor:
        kernel, bias = self._folded(layer, channel=2)
        numbers, scale = self._stored(layer, kernel, 2)
        value = tf.raw_ops.DepthwiseConv2dNative(
            input=value,
            filter=numbers,
            strides=(1, *layer.strides, 1),
            padding=layer.padding.upper(),
        )
        return _finish(value, scale, bias, layer.activation)

    def _dense(self, layer: keras.layers.Dense, value: tf.Tensor) -> tf.Tensor:
        kernel, bias = self._weights[id(layer)]
        numbers, scale = self._stored(layer, kernel, 1)
        return _finish(tf.matmul(value, numbers), scale, bias, layer.activation)

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

    def _stored(
        self, layer: keras.Layer, kernel: Floats, channel: int
    ) -> tuple[tf.Tensor, Floats | None]:
        """The kernel as float32 made from what is stored, and what its output is to be scaled by.

        `channel` is the axis with a scale each.
        """
        if self._storage == "fp32" or kernel.size < LEAST_16:
            return tf.constant(kernel), None
        bits = 16
        if kernel.size >= LEAST_8 and id(layer) in self._bypassed:
            bits = 8
        elif kernel.size >= LEAST_12 and kernel.size % 2 == 0:
            bits = 12
        return stored(kernel, channel, bits)


def _bypassed(model: keras.Model) -> set[int]:
    """Ids of the layers in residual branches: between an addition and what it adds them to."""
    made_by = {id(layer.output): layer for layer in model.layers}
    found: set[int] = set()
    for addition in model.layers:
        if isinstance(addition, keras.layers.Add):
            for end, start in itertools.permutations(addition.input, 2):
                found |= _between(start, end, made_by)
    return found


def _between(
    start: keras.KerasTensor, end: keras.KerasTensor, made_by: dict[int, keras.Layer]
) -> set[int]:
    """Ids of the layers that make `end` out of `start`; none when it needs something else too."""
    branch: set[int] = set()
    todo = [end]
    while todo:
        layer = made_by[id(todo.pop())]
        if isinstance(layer, keras.layers.InputLayer):
            return set()
        if id(layer) not in branch:
            branch.add(id(layer))
            todo += [each for each in _sources(layer) if each is not start]
    return branch


def _sources(layer: keras.Layer) -> list[keras.KerasTensor]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


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


def _enlarge(layer: keras.layers.UpSampling2D, value: tf.Tensor) -> tf.Tensor:
    size = tf.shape(value)[1:3] * tf.constant(layer.size)
    return tf.raw_ops.ResizeNearestNeighbor(images=value, size=size)


def _activate(value: tf.Tensor, activation: Activation) -> tf.Tensor:
    kind = activation.__name__
    if kind == "linear":
        return value
    if kind == "relu":
        return tf.nn.relu(value)
    if kind in ("silu", "swish"):
        return value * tf.sigmoid(value)
    if kind == "sigmoid":
        return tf.sigmoid(value)
    raise ExportError(f"cannot freeze the activation {kind}")
