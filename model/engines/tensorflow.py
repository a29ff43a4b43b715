"""TensorFlow: the reference the other engines are compared with."""

from __future__ import annotations

import contextlib
from pathlib import Path

import tensorflow as tf

from model.engines import MEMBER, Network, Pixels, Port, Probabilities
from model.engines.cache import Cache
from model.errors import BundleInvalid

# A TensorFlow graph is a program that may read and write files. These operations only compute.
SAFE_OPS = frozenset(
    {
        "Abs", "Add", "AddV2", "AvgPool", "BatchMatMulV2", "BatchToSpaceND", "BiasAdd", "Cast",
        "ConcatV2", "Const", "Conv2D", "DepthwiseConv2dNative", "Einsum", "Elu", "Erf", "Exp",
        "ExpandDims", "Floor", "FusedBatchNormV3", "GatherV2", "Identity", "IdentityN", "LeakyRelu",
        "Log", "MatMul", "Max", "MaxPool", "Maximum", "Mean", "Minimum", "MirrorPad", "Mul", "Neg",
        "NoOp", "Pack", "Pad", "PadV2", "Placeholder", "Pow", "Prod", "RealDiv", "Relu", "Relu6",
        "Reshape", "ResizeBilinear", "ResizeNearestNeighbor", "Rsqrt", "Selu", "Shape", "Sigmoid",
        "Slice", "Softmax", "Softplus", "SpaceToBatchND", "Split", "SplitV", "Sqrt", "Square",
        "SquaredDifference", "Squeeze", "StopGradient", "StridedSlice", "Sub", "Sum", "Tanh",
        "Tile", "Transpose", "Unpack",
    }
)  # fmt: skip


def load(
    graph: Path,
    threads: int,
    cache: Cache | None = None,  # noqa: ARG001
    port: Port = MEMBER,
) -> Network:
    """Import one frozen graph as one function with a fixed signature; there is nothing to cache.

    Raises:
        BundleInvalid: not a graph, or one with an operation that does more than compute.
    """
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(graph.read_bytes())
    except Exception as error:  # protobuf's DecodeError has moved between releases
        raise BundleInvalid(f"{graph} is not a TensorFlow graph") from error
    if definition.library.function:
        raise BundleInvalid(f"{graph} holds functions; frozen graphs have none")
    if unsafe := {node.op for node in definition.node} - SAFE_OPS:
        raise BundleInvalid(f"{graph} holds operations that are refused: {sorted(unsafe)}")
    _use(threads)
    try:
        wrapped = tf.compat.v1.wrap_function(
            lambda: tf.import_graph_def(definition, name=""), signature=[]
        )
        function = wrapped.prune("image:0", f"{port.output}:0")
    except (KeyError, ValueError) as error:
        raise BundleInvalid(f"{graph} does not lead from image to {port.output}") from error

    size = function.inputs[0].shape if port.size is None else (None, *port.size, 3)

    def several(pixels: Pixels) -> Probabilities:
        images = tf.ensure_shape(pixels, size)  # TensorFlow itself takes any
        probabilities: Probabilities = function(images).numpy()
        return probabilities

    return several if port.images > 1 else lambda pixels: several(pixels[None])[0]


def _use(threads: int) -> None:
    """TensorFlow fixes its thread pools at the first operation; later members inherit them."""
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
