"""The end of a frozen graph: where its logits are, and what is made of them."""

from collections.abc import Callable

import tensorflow as tf

from model.training.frozen.freeze import PROBABILITIES


def logits(graph: tf.compat.v1.GraphDef) -> str | None:
    """The name of what a softmax makes the probabilities of; None when no softmax does."""
    nodes = {node.name: node for node in graph.node}
    node = nodes.get(PROBABILITIES)
    while node is not None and node.op == "Identity":
        node = nodes.get(node.input[0].partition(":")[0])
    return str(node.input[0]) if node is not None and node.op == "Softmax" else None


def another(
    graph: tf.compat.v1.GraphDef, last: str, scope: str, end: Callable[[tf.Tensor], tf.Tensor]
) -> tf.compat.v1.GraphDef:
    """The graph as far as this tensor, and what `end` makes probabilities of it by."""
    kept = tf.compat.v1.graph_util.extract_sub_graph(graph, [last.partition(":")[0]])
    with tf.Graph().as_default() as opened:
        name = last if ":" in last else f"{last}:0"
        (tensor,) = tf.graph_util.import_graph_def(kept, return_elements=[name], name="")
        with tf.name_scope(scope):
            probabilities = end(tensor)
        tf.identity(probabilities, name=PROBABILITIES)
    return opened.as_graph_def()
