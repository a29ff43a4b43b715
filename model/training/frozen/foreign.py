"""Foreign models: Keras models and SavedModels as functions, and those as frozen graphs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from model.engines.tensorflow import SAFE_OPS
from model.training.choices import Output, Scaling
from model.training.errors import DataError, ExportError
from model.training.frozen import keras_file
from model.training.frozen.freeze import IMAGE, PROBABILITIES
from model.training.frozen.keras_file import first_line
from model.training.frozen.onnx import OnnxNetwork
from model.training.frozen.parity import in_batches
from model.training.judge.evaluation import Floats, Images

# How far from 1 probabilities may sum up.
ROUNDING = 0.01
RANK, CHANNELS = 4, 3
SAVED = "saved_model.pb"
Function = Callable[[tf.Tensor], tf.Tensor]
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32) * 255
# From RGB 0-255 to what the model was trained with.
SCALINGS: dict[Scaling, Function] = {
    "0..255": lambda image: image,
    "0..1": lambda image: image / 255,
    "-1..1": lambda image: image / 127.5 - 1,
    "imagenet": lambda image: (image - IMAGENET_MEAN) / IMAGENET_DEVIATION,
}


class ForeignModel:
    """A loaded model: a function of one batch of pictures, and the size that it reads."""

    def __init__(self, path: Path, function: Function, size: tuple[int, int]) -> None:
        self.path, self.size, self._function = path, size, function

    @classmethod
    def load(cls, path: Path, size: int | None) -> "ForeignModel":
        """Read a .keras, .h5 or .onnx file or a folder of a SavedModel; raises DataError."""
        if not path.exists():
            raise DataError(f"{path}: no such model")
        if path.suffix == ".onnx":
            network = OnnxNetwork(path, (size, size) if size else None)
            return cls(path, network, network.size)
        function, inputs, outputs = _saved(path) if path.is_dir() else _keras(path)
        if len(inputs) != 1 or len(outputs) != 1:
            raise DataError(
                f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; expected one of each"
            )
        (spec,) = inputs
        shape = _size(path, spec, size)
        return cls(path, lambda image: function(tf.cast(image, spec.dtype)), shape)

    def finished(self, scaling: Function, output: Output, pixels: Images, classes: int) -> Function:
        """From RGB 0-255 to probabilities; raises DataError for other scores than one a label."""

        def scores(image: tf.Tensor) -> tf.Tensor:
            return tf.cast(self._function(scaling(image)), tf.float32)

        try:
            found = in_batches(scores, pixels)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise DataError(f"{self.path} fails at reading: {first_line(error)}") from error
        if found.shape != (len(pixels), classes):
            raise DataError(
                f"{self.path} gives scores of the shape {found.shape[1:]} for {classes} labels"
            )
        if output == "auto":
            output = _kind(self.path, found)
        return scores if output == "probabilities" else lambda image: tf.nn.softmax(scores(image))


def _keras(path: Path) -> tuple[Function, list[Any], list[Any]]:
    model = keras_file.read(path)
    return lambda image: model(image, training=False), model.inputs or [], model.outputs or []


def _saved(path: Path) -> tuple[Function, list[Any], list[Any]]:
    if not (path / SAVED).is_file():
        raise DataError(
            f"{path} has no {SAVED} in it: name the folder of a SavedModel, as model.export(folder)"
            " writes it, or a .keras or .h5 file"
        )
    try:
        loaded = tf.saved_model.load(path)
    except Exception as error:  # every damage fails in its own way
        raise DataError(
            f"{path} is no whole SavedModel, or one of another TensorFlow: {first_line(error)}"
        ) from error
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        others = ", ".join(loaded.signatures) or "none"
        raise DataError(
            f"{path} has no signature serving_default (it has {others}): export it with one"
        )
    inputs = signature.structured_input_signature[1]
    outputs = list(signature.structured_outputs)

    def function(image: tf.Tensor) -> tf.Tensor:
        # `loaded` owns the variables; the signature alone would let them go.
        return loaded.signatures["serving_default"](**{next(iter(inputs)): image})[outputs[0]]

    return function, list(inputs.values()), outputs


def _size(path: Path, spec: Any, size: int | None) -> tuple[int, int]:
    """Height and width that the input takes; raises DataError when it is not RGB, channels last."""
    shape = tuple(spec.shape)
    if len(shape) != RANK or shape[-1] != CHANNELS:
        raise DataError(
            f"{path} takes the shape {shape}; expected (images, height, width, 3), RGB with the"
            " channels last"
        )
    if shape[0] is not None:
        raise DataError(f"{path} takes batches of {shape[0]} only: save it for batches of any size")
    height, width = (side or size for side in shape[1:3])
    if not height or not width:
        raise DataError(f"{path} takes pictures of any size: say which")
    if size and (height, width) != (size, size):
        raise DataError(f"{path} takes pictures of {height} x {width} px, not of {size}")
    return height, width


def _kind(path: Path, scores: Floats) -> Output:
    """Whether scores (n, classes) are probabilities; raises DataError when they are neither."""
    within = bool((scores >= 0).all() and (scores <= 1).all())
    if within and bool((np.abs(scores.sum(axis=1) - 1) < ROUNDING).all()):
        return "probabilities"
    if within:
        raise DataError(
            f"{path} gives scores between 0 and 1 that do not sum to 1; say whether they are logits"
        )
    return "logits"


def frozen(function: Function, size: tuple[int, int], path: Path) -> tf.compat.v1.GraphDef:
    """The function from RGB 0-255 to probabilities as a graph of constants and plain operations.

    Raises ExportError for one that changes its pictures at random, one whose weights change as it
    reads, and for operations that a bundle may not hold.
    """
    spec = tf.TensorSpec((None, *size, 3), tf.float32)
    concrete = tf.function(function).get_concrete_function(spec)
    if chance := sorted(op for op in _operations(concrete) if "Random" in op):
        raise ExportError(
            f"{path} changes its pictures at random as it reads ({', '.join(chance)}): layers for"
            " augmentation were saved as they are in training; give the .keras or .h5 file,"
            " or export it without them"
        )
    try:
        constant = convert_variables_to_constants_v2(concrete, aggressive_inlining=True)
    except (ValueError, tf.errors.OpError) as error:
        raise ExportError(
            f"{path} holds more than weights that stay as they are: {first_line(error)}"
        ) from error
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, spec.shape, IMAGE)
        (result,) = tf.graph_util.import_graph_def(
            constant.graph.as_graph_def(),
            input_map={constant.inputs[0].name: image},
            return_elements=[constant.outputs[0].name],
            name="model",
        )
        tf.identity(result, name=PROBABILITIES)
    definition = graph.as_graph_def()
    definition.ClearField("library")
    replaced = f"model/{constant.inputs[0].op.name}"
    kept = [node for node in definition.node if node.name != replaced]
    del definition.node[:]
    definition.node.extend(kept)
    if refused := {node.op for node in definition.node} - SAFE_OPS:
        raise ExportError(
            f"{path} needs operations that a bundle may not hold: {', '.join(sorted(refused))};"
            " replace the layers that make them"
        )
    return definition


def _operations(function: Any) -> set[str]:
    """The kinds of operations of a traced function and of all that it calls."""
    definition = function.graph.as_graph_def()
    nodes = [definition.node, *(each.node_def for each in definition.library.function)]
    return {node.op for part in nodes for node in part}
