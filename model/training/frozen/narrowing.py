"""Narrowing a frozen graph: labels that may not be answered, each of which counts as `isnull`."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from model.training.errors import ExportError
from model.training.frozen import ending
from model.training.frozen.freeze import PROBABILITIES
from model.training.frozen.null_head import without

_SCOPE = "answers"


def narrowed(
    graph: tf.compat.v1.GraphDef, kept: Sequence[int], isnull: int, classes: int
) -> tf.compat.v1.GraphDef:
    """The graph with these of its classes, in this order; `isnull` is one of them.

    What the others would get is added to `isnull`: to its logit where there are logits, so that a
    head of `isnull` can be put on again, which a graph that has one loses. Raises ExportError for a
    graph whose end is of another build.
    """
    others = [each for each in kept if each != isnull]
    pooled = [isnull, *sorted(set(range(classes)) - set(kept))]
    back = np.argsort([*map(kept.index, others), kept.index(isnull)])

    def fold(values: tf.Tensor, together: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.concat([tf.gather(values, others, axis=1), together], 1), back, axis=1)

    def of_logits(logits: tf.Tensor) -> tf.Tensor:
        theirs = tf.gather(logits, pooled, axis=1)
        most = tf.reduce_max(theirs, axis=1, keepdims=True)
        total = tf.reduce_sum(tf.exp(theirs - most), axis=1, keepdims=True)
        return tf.nn.softmax(fold(logits, most + tf.math.log(total)))

    def of_probabilities(shares: tf.Tensor) -> tf.Tensor:
        theirs = tf.gather(shares, pooled, axis=1)
        return fold(shares, tf.reduce_sum(theirs, axis=1, keepdims=True))

    graph = without(graph)
    logits = ending.logits(graph)
    if logits is not None:
        return ending.another(graph, logits, _SCOPE, of_logits)
    last = next((node for node in graph.node if node.name == PROBABILITIES), None)
    if last is None or last.op != "Identity":
        raise ExportError("a graph's end is of a build whose probabilities cannot be narrowed")
    return ending.another(graph, last.input[0], _SCOPE, of_probabilities)
