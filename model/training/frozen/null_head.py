"""The head of `isnull`: how much a picture looks like none of the characters, out of the logits.

A softmax asks which class is the likeliest. A foreign character resembles many a little, and shares
its probability out; what tells is that the logit of `isnull` is high while no other is. So much
of the answer is `isnull` as a sigmoid says of that logit less half the largest other one, and the
characters share the rest by a softmax of their own. It is a part of the frozen graph: who serves
the bundle needs to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from model.training.errors import ExportError
from model.training.frozen import ending
from model.training.judge.calibration import readable
from model.training.judge.evaluation import Floats, Indexes

# Of the largest other logit, this much counts against `isnull`.
_AGAINST = 0.5
# In deviations of the score; steeper, few members would outvote the others.
_STEEPNESS = 2.0
# The share of the characters whose score is beyond the middle of the sigmoid.
_BEYOND = 0.03
# Where the scores hardly differ, a steep sigmoid would tell rounding errors apart.
_LEAST_DEVIATION = 0.5  # logits
_SCOPE, _MIDDLE, _SLOPE = "isnull", "isnull/middle", "isnull/slope"


@dataclass(frozen=True)
class NullHead:
    """The sigmoid: where it has its middle, in logits, and how steep it is."""

    middle: float = 0.0
    slope: float = 1.0

    def probabilities(self, logits: tf.Tensor, isnull: int) -> tf.Tensor:
        """Of logits (n, classes), where `isnull` is the index of that class."""
        classes = int(logits.shape[1])
        characters = [each for each in range(classes) if each != isnull]
        others = tf.gather(logits, characters, axis=1)
        score = tf.gather(logits, [isnull], axis=1) - _AGAINST * tf.reduce_max(
            others, axis=1, keepdims=True
        )
        middle = tf.constant(self.middle, tf.float32, name="middle")
        slope = tf.constant(self.slope, tf.float32, name="slope")
        none = tf.sigmoid((score - middle) * slope)
        shared = tf.nn.softmax(others) * (1 - none)
        back = np.argsort([*characters, isnull])
        return tf.gather(tf.concat([shared, none], axis=1), back, axis=1)

    def scores(self, probabilities: Floats, isnull: int) -> Floats:
        """The scores (..., n) that led to probabilities (..., n, classes) of this head."""
        none = np.clip(probabilities[..., isnull], 1e-6, 1 - 1e-6).astype(np.float64)
        return np.asarray(np.log(none / (1 - none)) / self.slope + self.middle, np.float32)


def fitted(
    graphs: Sequence[Path],
    isnull: int,
    targets: Indexes,
    read: Callable[[Sequence[Path]], Floats],
    folder: Path,
) -> NullHead:
    """The head that suits members, by labelled images that none of them was trained on.

    `read` makes probabilities (members, n, classes) of graphs, of images the first of which have
    the `targets`; `folder` is for scratch.
    """
    unfitted = NullHead()
    headed = put_on(graphs, isnull, unfitted, folder)
    told = [head_of(load(graph)) is not None for graph in headed]
    found = read(headed)[:, : len(targets)]
    known = readable(found.mean(axis=0), targets, isnull)
    if not known.any() or not any(told):
        return unfitted
    scores = unfitted.scores(found[told], isnull).mean(axis=0)[known]
    return NullHead(
        round(float(np.quantile(scores, 1 - _BEYOND)), 4),
        round(_STEEPNESS / max(float(scores.std()), _LEAST_DEVIATION), 4),
    )


def put_on(graphs: Sequence[Path], isnull: int, head: NullHead, folder: Path) -> list[Path]:
    """Write graphs with the head, in place of one that they have.

    One that does not end in a softmax has no logits, and tells of `isnull` as it does already.
    """
    written = []
    for number, path in enumerate(graphs, start=1):
        graph = load(path)
        if not has_logits(graph):
            written.append(path)
            continue
        written.append(folder / f"headed-{number}.pb")
        graph = with_head(without(graph), isnull, head)
        written[-1].write_bytes(graph.SerializeToString(deterministic=True))
    return written


def load(path: Path) -> tf.compat.v1.GraphDef:
    """Read a frozen graph."""
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return graph


def with_head(graph: tf.compat.v1.GraphDef, isnull: int, head: NullHead) -> tf.compat.v1.GraphDef:
    """A graph that ends in a softmax, with the head instead; raises ExportError for another one."""
    logits = ending.logits(graph)
    if logits is None:
        raise ExportError("a graph does not end in a softmax: its logits cannot be found")
    return ending.another(graph, logits, _SCOPE, lambda found: head.probabilities(found, isnull))


def without(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The graph with a softmax instead of the head; itself, when it has none."""
    if head_of(graph) is None:
        return graph
    gathered = next(node for node in graph.node if node.name == f"{_SCOPE}/GatherV2")
    return ending.another(graph, gathered.input[0], _SCOPE, tf.nn.softmax)


def head_of(graph: tf.compat.v1.GraphDef) -> NullHead | None:
    """The head of a graph; None when it has none."""
    known = {
        node.name: float(tf.make_ndarray(node.attr["value"].tensor))
        for node in graph.node
        if node.name in (_MIDDLE, _SLOPE)
    }
    return NullHead(known[_MIDDLE], known[_SLOPE]) if len(known) == len((_MIDDLE, _SLOPE)) else None


def has_logits(graph: tf.compat.v1.GraphDef) -> bool:
    """Whether it ends in a softmax, or in the head: what does not keeps its own probabilities."""
    return ending.logits(without(graph)) is not None
