"""Parity: does a frozen graph answer as the Keras network that it was made from?"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.training.errors import AnswersDiffer
from model.training.frozen.freeze import IMAGE, PROBABILITIES

LEAST_AGREEMENT = 0.999
BATCH = 128
Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Parity:
    """How a frozen graph answers beside its network on a number of images.

    `agreement` is the share answered alike, `largest_difference` that of any probability.
    """

    agreement: float
    largest_difference: float
    images: int

    def prove(self, what: str, advice: str) -> None:
        """Raise AnswersDiffer, with the advice, when `what` agrees on less than 99.9 %."""
        if self.agreement < LEAST_AGREEMENT:
            raise AnswersDiffer(
                f"{what} answers as its network on only {self.agreement:.2%} of {self.images}"
                f" images; {advice}"
            )


def compare(reference: Floats, frozen: Floats) -> Parity:
    """Parity of two arrays of probabilities (n, classes) of the same images."""
    same = reference.argmax(axis=1) == frozen.argmax(axis=1)
    return Parity(float(same.mean()), float(np.abs(reference - frozen).max()), len(same))


def op_types(graph: tf.compat.v1.GraphDef) -> dict[str, int]:
    """How many nodes of each op type the graph has."""
    return dict(sorted(Counter(node.op for node in graph.node).items()))


def network_answers(
    model: keras.Model, images: Images, end: Callable[[tf.Tensor], tf.Tensor] = tf.nn.softmax
) -> Floats:
    """Probabilities float32 (n, classes), which `end` makes of the network's logits."""
    return in_batches(lambda batch: end(model(batch, training=False)), images)


def frozen_answers(graph: tf.compat.v1.GraphDef, images: Images) -> Floats:
    """Probabilities float32 (n, classes) of the frozen graph, run by TensorFlow."""

    def imported(batch: tf.Tensor) -> tf.Tensor:
        (output,) = tf.graph_util.import_graph_def(
            graph, input_map={IMAGE: batch}, return_elements=[f"{PROBABILITIES}:0"], name=""
        )
        return output

    return in_batches(imported, images)


def in_batches(run: Callable[[tf.Tensor], tf.Tensor], images: Images) -> Floats:
    """What `run` makes of images uint8 (n, height, width, 3), which it gets as float32."""
    traced = tf.function(run, reduce_retracing=True)
    starts = range(0, len(images), BATCH)
    parts = [traced(tf.cast(images[start : start + BATCH], tf.float32)) for start in starts]
    return np.concatenate([part.numpy() for part in parts])
