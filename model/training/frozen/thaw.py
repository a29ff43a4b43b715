"""Thawing: the frozen graph of a member becomes a Keras network again, to be trained further.

A frozen graph has its kernels rounded and its batch norms folded into them. The network of the same
build takes the kernels as they are, and each batch norm keeps only the bias: with a scale of 1, a
mean of 0 and a variance of 1 it changes nothing else. Such a network must be trained with its batch
norms in inference mode.
"""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.bundle import Bundle
from model.engines.tensorflow import SAFE_OPS
from model.training.data.labels import ISNULL
from model.training.errors import DataError
from model.training.fit import network
from model.training.frozen.freeze import IMAGE
from model.training.frozen.graph_network import GraphNetwork
from model.training.frozen.null_head import has_logits, without
from model.training.frozen.parity import compare, frozen_answers, network_answers

MOST_DIFFERENCE = 1e-3
LINEAR = {
    "Conv2D": keras.layers.Conv2D,
    "DepthwiseConv2dNative": keras.layers.DepthwiseConv2D,
    "MatMul": keras.layers.Dense,
}
ADDS, SCALES = ("BiasAdd", "Add", "AddV2"), ("Mul",)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Linear:
    """A convolution or matrix product of a graph with all that is done to its channels."""

    op: str
    kernel: Floats
    bias: Floats


def thaw_bundle(bundle: Bundle) -> list[keras.Model | GraphNetwork]:
    """The members of a bundle: networks of logits, or graphs where they are of another build.

    Raises DataError for a bundle without anything to tune.
    """
    manifest = bundle.manifest
    if manifest.input.height != manifest.input.width or ISNULL not in manifest.labels:
        raise DataError(_foreign(bundle.id))
    graphs = [read_graph(bundle, member.graph.path) for member in manifest.members]
    classes, size = len(manifest.labels), manifest.input.height
    thawed = [_thawed(graph, classes, size, bundle.id) for graph in graphs]
    if not any(member.variables for member in thawed):
        raise DataError(_foreign(bundle.id))
    return thawed


def _thawed(
    graph: tf.compat.v1.GraphDef, classes: int, size: int, name: str
) -> keras.Model | GraphNetwork:
    if has_logits(graph):
        with suppress(DataError):
            return thaw(graph, classes, size, name)
    return GraphNetwork(graph)


def thaw(graph: tf.compat.v1.GraphDef, classes: int, size: int, name: str) -> keras.Model:
    """The network of logits, for images of `size` pixels, that `graph` was made of.

    A head of `isnull` is left off. It is compared with the graph before it is returned.
    Raises DataError, which calls the graph by `name`, when the graph was not made by `freeze`.
    """
    model = network.build(classes, size)
    graph = without(graph)
    fill(model, graph, name)
    _prove(model, graph, size, name)
    return model


def fill(model: keras.Model, graph: tf.compat.v1.GraphDef, name: str) -> None:
    """Give a network the kernels and biases of the graph that was made of one of the same build.

    Raises DataError, which calls the graph by `name`, when it was not.
    """
    layers = [each for each in model.layers if type(each) in LINEAR.values()]
    norms = {
        id(each.input): each
        for each in model.layers
        if isinstance(each, keras.layers.BatchNormalization)
    }
    try:
        found = _linears(graph)
        for layer, linear in zip(layers, found, strict=True):
            if type(layer) is not LINEAR[linear.op]:
                raise ValueError(f"{layer.name} is a {linear.op}")
            _fill(layer, norms.get(id(layer.output)), linear)
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise DataError(_foreign(name)) from error


def _foreign(name: str) -> str:
    return f"{name} cannot be tuned: do that with its own framework, and import it again"


def read_graph(bundle: Bundle, path: str) -> tf.compat.v1.GraphDef:
    """A graph of a bundle, out of ops that may be run; raises DataError for another."""
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString((bundle.folder / path).read_bytes())
    except Exception as error:  # protobuf's DecodeError has moved between releases
        raise DataError(_foreign(bundle.id)) from error
    # What is run here must be as harmless as what is served.
    if graph.library.function or {node.op for node in graph.node} - SAFE_OPS:
        raise DataError(_foreign(bundle.id))
    return graph


def _linears(graph: tf.compat.v1.GraphDef) -> list[_Linear]:
    """Every linear op in the order in which the graph was written.

    Constants that follow one, to scale it or to be added, are worked into its kernel and bias, so
    that it does not matter in which form they are stored.
    """
    nodes = {node.name: node for node in graph.node}
    users: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for source in node.input:
            users[_name(source)].append(node)
    moving = _moving(graph)
    wanted: list[str] = []
    chains: list[tuple[Any, list[tuple[str, str]]]] = []
    for node in graph.node:
        if node.op not in LINEAR or node.name not in moving:
            continue
        chain: list[tuple[str, str]] = []
        end = node.name
        while len(users[end]) == 1 and users[end][0].op in ADDS + SCALES:
            (after,) = users[end]
            constants = [each for each in map(_name, after.input) if each not in moving]
            if len(constants) != 1:
                break
            chain.append((after.op, constants[0]))
            end = after.name
        chains.append((node, chain))
        wanted += [_name(node.input[1]), *(constant for _, constant in chain)]
    values = _values(graph, [each for each in wanted if each in nodes])
    return [
        _worked_in(node.op, values[_name(node.input[1])], [(op, values[c]) for op, c in chain])
        for node, chain in chains
    ]


def _moving(graph: tf.compat.v1.GraphDef) -> set[str]:
    """Names of the nodes that depend on the image; nodes of a frozen graph follow their inputs."""
    moving = {IMAGE}
    for node in graph.node:
        if any(_name(source) in moving for source in node.input):
            moving.add(node.name)
    return moving


def _values(graph: tf.compat.v1.GraphDef, names: list[str]) -> dict[str, Floats]:
    with tf.Graph().as_default() as opened, tf.compat.v1.Session(graph=opened) as session:
        tf.graph_util.import_graph_def(graph, name="")
        values = session.run([f"{name}:0" for name in names])
    return dict(zip(names, values, strict=True))


def _worked_in(op: str, kernel: Floats, chain: list[tuple[str, Floats]]) -> _Linear:
    channel = 2 if op == "DepthwiseConv2dNative" else kernel.ndim - 1
    shape = [-1 if axis == channel else 1 for axis in range(kernel.ndim)]
    bias = np.zeros(kernel.shape[channel], np.float32)
    for kind, value in chain:
        if kind in SCALES:
            kernel, bias = kernel * np.reshape(value, shape), bias * np.ravel(value)
        else:
            bias = bias + np.ravel(value)
    return _Linear(op, kernel, bias)


def _fill(layer: keras.Layer, norm: keras.Layer | None, linear: _Linear) -> None:
    """Raises ValueError when the shapes differ."""
    if norm is None:
        layer.set_weights([linear.kernel, linear.bias])
        return
    biases = [np.zeros_like(linear.bias)] if layer.use_bias else []
    layer.set_weights([linear.kernel, *biases])
    one, zero = np.ones_like(linear.bias), np.zeros_like(linear.bias)
    norm.set_weights([one, linear.bias, zero, one - norm.epsilon])


def _prove(model: keras.Model, graph: tf.compat.v1.GraphDef, size: int, name: str) -> None:
    """On coloured noise: an activation or scale that was not understood shows at once."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, size, size, 3)).astype(np.uint8)
    try:
        parity = compare(network_answers(model, images), frozen_answers(graph, images))
    except (ValueError, tf.errors.OpError) as error:
        raise DataError(_foreign(name)) from error
    if not parity.largest_difference < MOST_DIFFERENCE:
        raise DataError(_foreign(name))


def _name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
