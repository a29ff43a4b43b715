"""A frozen graph as a network that learns: its kernels are variables for as long as it is tuned.

A member that was adopted or imported is of a build that is not known here. What works on pictures
in it, the constants of convolutions, can be tuned all the same; what follows, as a recogniser's
knowledge of which character is which, stays as it is.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from model.training.choices import Storage
from model.training.frozen.freeze import IMAGE, PROBABILITIES
from model.training.frozen.rounding import rounded, whole

# Kernels, and what is added to channels of pictures. Fewer numbers are slopes and exponents.
_RANK, _LEAST = 4, 8


class GraphNetwork:
    """A function of pictures (n, height, width, 3), RGB 0-255, to probabilities (n, labels)."""

    def __init__(self, graph: tf.compat.v1.GraphDef) -> None:
        self._graph = whole(graph)
        arrays = {
            node.name: tf.make_ndarray(node.attr["value"].tensor)
            for node in self._graph.node
            if node.op == "Const"
        }
        self._learnt = {
            name: tf.Variable(array)
            for name, array in arrays.items()
            if array.dtype == np.float32 and array.ndim == _RANK and array.size >= _LEAST
        }
        # A gradient is taken of a function as a whole, not of what it imports.
        self._run = tf.function(self._imported, reduce_retracing=True)

    @property
    def variables(self) -> list[tf.Variable]:
        """What a training may change; nothing of a graph without convolutions."""
        return list(self._learnt.values())

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """The probabilities, differentiable by the variables."""
        return self._run(tf.cast(image, tf.float32), [*map(tf.convert_to_tensor, self.variables)])

    def _imported(self, image: tf.Tensor, learnt: list[tf.Tensor]) -> tf.Tensor:
        names = [f"{name}:0" for name in self._learnt]
        (told,) = tf.graph_util.import_graph_def(
            self._graph,
            input_map={f"{IMAGE}:0": image, **dict(zip(names, learnt, strict=True))},
            return_elements=[f"{PROBABILITIES}:0"],
            name="",
        )
        return told

    def frozen(self, storage: Storage) -> tf.compat.v1.GraphDef:
        """As a graph of constants again, with kernels of 32 bits or, where mixed, of 16."""
        graph = tf.compat.v1.GraphDef()
        graph.CopyFrom(self._graph)
        for node in graph.node:
            if node.name in self._learnt:
                tensor = tf.make_tensor_proto(self._learnt[node.name].numpy())
                node.attr["value"].tensor.CopyFrom(tensor)
        return rounded(graph) if storage == "mixed" else graph
