"""ONNX: a network saved in this form becomes a function of TensorFlow, operation by operation.

OpenVINO reads the file. What is computed stays the same; only that pictures have their channels
last here, as TensorFlow's convolutions on CPUs need them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import tensorflow as tf
from openvino.frontend import FrontEndManager
from openvino.passes import ConstantFolding, Manager

from model.training.errors import DataError
from model.training.frozen.keras_file import first_line
from model.training.frozen.operations import OPERATIONS, PICTURES, Operation, Value

_CHANNELS = 3
# What smaller constants say is not learnt: they are slopes and exponents.
_LEAST_CHANNELS = 8
_LEARNING = {"Convolution", "GroupConvolution", "MatMul", "Add", "Multiply"}


class OnnxNetwork:
    """A network of RGB pictures.

    ``size``: height and width in pixels.
    """

    def __init__(
        self, path: Path, size: tuple[int, int] | None = None, *, learns: bool = False
    ) -> None:
        """Read a file of a network with one input (n, 3, height, width) and one output.

        ``size`` is for networks that take pictures of any size. What ``learns`` has its kernels and
        biases in ``variables``.

        Raises:
            DataError: it is none, or has another input.
        """
        self._path = path
        try:
            frontend = FrontEndManager().load_by_framework("onnx")
            model = frontend.convert(frontend.load(str(path)))
        except Exception as error:  # OpenVINO's own errors are not public
            raise DataError(f"{path} cannot be read as ONNX: {first_line(error)}") from error
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise DataError(
                f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; expected"
                " one of each"
            )
        self.size = _size(path, model.input().get_partial_shape(), size)
        height, width = self.size
        try:
            if min(self.size) < 1:
                raise ValueError("there is nothing to see")
            model.reshape([1, _CHANNELS, height, width])
            # What depends on the size alone is computed now.
            folding = Manager()
            folding.register_pass(ConstantFolding())
            folding.run_passes(model)
        except Exception as error:  # OpenVINO's own errors are not public
            raise DataError(
                f"{path} cannot take pictures of {height} x {width} px: {first_line(error)}"
            ) from error
        self._model = model
        self._learnt = _learnable(model) if learns else {}

    @property
    def variables(self) -> list[tf.Variable]:
        """What a training may change."""
        return list(self._learnt.values())

    def note(self, name: str) -> str | None:
        """What its makers wrote into the file under that name, if anything."""
        place = ["framework", name]
        return str(self._model.get_rt_info(place).value) if self._model.has_rt_info(place) else None

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """From pictures (n, height, width, 3) to what the network gives for them.

        Raises:
            DataError: it computes what is not known here.
        """
        values: dict[Any, Value] = {}
        for node in self._model.get_ordered_ops():
            kind = node.get_type_name()
            inputs = [values[_name(port.get_source_output())] for port in node.inputs()]
            if kind == "Result":
                return inputs[0].first()
            if kind == "Parameter":
                value = Value(image, last=True)
            elif kind == "Constant":
                value = Value(self._learnt.get(node.get_name(), node.data))
            elif kind in OPERATIONS:
                value = _computed(OPERATIONS[kind], node, inputs)
            else:
                raise DataError(f"{self._path} computes {kind}, which cannot be taken over")
            values[_name(node.output(0))] = value
        raise DataError(f"{self._path} gives nothing")


def _size(
    path: Path, shape: openvino.PartialShape, size: tuple[int, int] | None
) -> tuple[int, int]:
    """Height and width that the input takes; raises DataError if it is not RGB, channels first."""
    if shape.rank.is_dynamic or len(shape) != PICTURES or shape[1] != _CHANNELS:
        raise DataError(f"{path} takes the shape {shape}; expected (images, 3, height, width), RGB")
    wanted = size or (None, None)
    sides = (int(side.get_length()) if side.is_static else None for side in shape[2:])
    height, width = (side or asked for side, asked in zip(sides, wanted, strict=True))
    if height is None or width is None:
        raise DataError(f"{path} takes pictures of any size: say which")
    if size and (height, width) != size:
        raise DataError(
            f"{path} takes pictures of {height} x {width} px, not of {size[0]} x {size[1]}"
        )
    return height, width


def _learnable(model: openvino.Model) -> dict[str, tf.Variable]:
    """Constants that are kernels, biases or scales of channels, by the names of their nodes."""
    constants = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    return {
        node.get_name(): tf.Variable(node.data)
        for node in constants
        if node.data.dtype == np.float32
        and node.data.size >= _LEAST_CHANNELS
        and all(
            user.get_node().get_type_name() in _LEARNING
            for user in node.output(0).get_target_inputs()
        )
    }


def _name(output: Any) -> tuple[str, int]:
    return output.get_node().get_name(), output.get_index()


def _computed(compute: Operation, node: Any, inputs: list[Value]) -> Value:
    """What depends on no picture, as most shapes, is computed once and for all."""
    if not all(isinstance(value.tensor, np.ndarray) for value in inputs):
        return compute(node, inputs)
    with tf.init_scope():
        found = compute(node, inputs)
        return Value(np.asarray(found.tensor), found.last)
