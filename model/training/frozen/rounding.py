"""Rounding: kernels are stored as whole numbers of 16, 12 or 8 bits, with scales.

Floats of 16 bits would have a sixteenth of the precision of whole numbers of as many.
"""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int16]
# Numbers from which on an array of a graph is a kernel, and from which on 12 bits do: the last one
# of a reader of lines has a column for every character of a language.
_KERNEL, _VOCABULARY = 20_000, 1_000_000
_BYTE, _PAIRED = 8, 12  # bits


def quantise(kernel: Floats, channel: int, bits: int) -> tuple[Whole, Floats]:
    """Whole numbers of so many bits and, for each channel, the scale with the least square error.

    The scales (channels,) are those that the whole numbers are to be multiplied by.
    """
    most = 2 ** (bits - 1) - 1
    others = tuple(axis for axis in range(kernel.ndim) if axis != channel)
    largest = np.maximum(np.abs(kernel).max(axis=others, keepdims=True), 1e-12)
    best, least = largest / most, np.full(largest.shape, np.inf)
    for share in np.linspace(0.6, 1.0, 21):
        scale = largest * share / most
        rounded = np.clip(np.round(kernel / scale), -most, most) * scale
        error = np.square(rounded - kernel).sum(axis=others, keepdims=True)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    whole = np.clip(np.round(kernel / best), -most, most).astype(np.int16)
    return whole, best.ravel().astype(np.float32)


def _twelve_bits(whole: Whole) -> tf.Tensor:
    """A sixteenth of an even number of whole numbers, from their upper 8 and lower 4 bits.

    The lower bits of the first half stand in the upper bits of a byte, beside those of the second.
    """
    first, second = (whole & 15).astype(np.uint8).reshape(2, -1)
    pairs = tf.cast(tf.constant(first << 4 | second), tf.float32) / 16
    upper = tf.floor(pairs)
    lower = tf.reshape(tf.stack([upper / 16, pairs - upper]), whole.shape)
    return tf.cast(tf.constant((whole >> 4).astype(np.int8)), tf.float32) + lower


def stored(kernel: Floats, channel: int, bits: int) -> tuple[tf.Tensor, Floats]:
    """What a kernel is made of again: stored numbers as float32, and the scale of each channel.

    Of 12 bits there must be an even number of weights.
    """
    numbers, scale = quantise(kernel, channel, bits)
    if bits == _PAIRED:
        return _twelve_bits(numbers), scale * 16
    kind = np.int8 if bits == _BYTE else np.int16
    return tf.cast(tf.constant(numbers.astype(kind)), tf.float32), scale


def rounded(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The graph with kernels of 16 or 12 bits, and a scale for each place of their last axis."""
    written = tf.compat.v1.GraphDef(versions=graph.versions)
    for node in graph.node:
        array = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
        if array is None or array.dtype != np.float32 or array.size < _KERNEL:
            written.node.append(node)
            continue
        bits = _PAIRED if array.size >= _VOCABULARY and array.size % 2 == 0 else 16
        with tf.Graph().as_default() as small:
            tf.multiply(*stored(array, array.ndim - 1, bits), name="kernel")
        for each in small.as_graph_def().node:
            last = each.name == "kernel"
            each.name = node.name if last else f"{node.name}/{each.name}"
            each.input[:] = [f"{node.name}/{source}" for source in each.input]
            written.node.append(each)
    return written


def whole(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The graph before it was ``rounded``, its kernels as the rounded numbers that they are."""
    products = [
        node.name
        for node in graph.node
        if node.op == "Mul" and all(each.startswith(f"{node.name}/") for each in node.input)
    ]
    with tf.Graph().as_default() as opened, tf.compat.v1.Session(graph=opened) as session:
        tf.graph_util.import_graph_def(graph, name="")
        arrays = session.run({name: f"{name}:0" for name in products})
    written = tf.compat.v1.GraphDef(versions=graph.versions)
    for node in graph.node:
        if node.name in arrays:
            with tf.Graph().as_default() as single:
                tf.constant(arrays[node.name], name=node.name)
            written.node.extend(single.as_graph_def().node)
        elif not any(node.name.startswith(f"{name}/") for name in products):
            written.node.append(node)
    return written
