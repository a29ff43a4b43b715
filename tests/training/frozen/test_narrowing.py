"""Frozen graphs that may answer some of their labels only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.engines import engine
from model.training.errors import ExportError
from model.training.frozen.freeze import IMAGE, PROBABILITIES
from model.training.frozen.narrowing import narrowed
from model.training.frozen.null_head import NullHead, has_logits, head_of, with_head
from model.training.frozen.parity import frozen_answers
from tests.training.world import LABELS

CLASSES, LAST = len(LABELS), len(LABELS) - 1
KEPT = [0, 2, LAST]


def folded(probabilities: np.ndarray, kept: list[int], isnull: int) -> np.ndarray:
    left = probabilities[:, kept]
    left[:, kept.index(isnull)] += 1 - left.sum(axis=1)
    return left


def without_logits(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """One that makes its probabilities by a way of its own."""
    with tf.Graph().as_default() as opened:
        image = tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), IMAGE)
        (told,) = tf.graph_util.import_graph_def(
            graph, input_map={f"{IMAGE}:0": image}, return_elements=[f"{PROBABILITIES}:0"]
        )
        powers = tf.square(told)
        shares = powers / tf.reduce_sum(powers, axis=1, keepdims=True)
        tf.identity(shares, name=PROBABILITIES)
    return opened.as_graph_def()


@pytest.mark.parametrize("kept", [[0, 2, LAST], [LAST, 2, 1], list(range(CLASSES))])
@pytest.mark.parametrize("end", ["softmax", "own"])
def test_what_may_not_be_answered_counts_as_isnull(
    kept: list[int], end: str, graph: tf.compat.v1.GraphDef, images: np.ndarray
) -> None:
    wide = graph if end == "softmax" else without_logits(graph)

    narrow = narrowed(wide, kept, LAST, CLASSES)

    wanted = folded(frozen_answers(wide, images), kept, LAST)
    np.testing.assert_allclose(frozen_answers(narrow, images), wanted, atol=1e-6)
    assert has_logits(narrow) is (end == "softmax")


def test_it_can_be_narrowed_again(graph: tf.compat.v1.GraphDef, images: np.ndarray) -> None:
    once = narrowed(graph, KEPT, LAST, CLASSES)
    np.testing.assert_allclose(
        frozen_answers(narrowed(once, [0, 2], 2, 3), images),
        folded(frozen_answers(graph, images), [0, LAST], LAST),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["openvino", "tensorflow"])
def test_every_engine_serves_it_with_a_head_of_isnull(
    name: str, graph: tf.compat.v1.GraphDef, images: np.ndarray, tmp_path: Path
) -> None:
    """The head that the wide one has is none of it."""
    head = NullHead(0.5, 2.0)
    narrow = narrowed(with_head(graph, LAST, head), KEPT, LAST, CLASSES)
    assert head_of(narrow) is None
    headed = with_head(narrow, KEPT.index(LAST), head)
    (tmp_path / "one.pb").write_bytes(headed.SerializeToString())

    read = engine(name).load(tmp_path / "one.pb", 1)

    np.testing.assert_allclose(
        read(images[0].astype(np.float32)), frozen_answers(headed, images[:1])[0], atol=1e-4
    )


def test_an_end_of_another_build_is_refused(graph: tf.compat.v1.GraphDef) -> None:
    other = tf.compat.v1.GraphDef()
    other.CopyFrom(graph)
    (softmax,) = [node for node in other.node if node.op == "Softmax"]
    softmax.op = "Sigmoid"
    with pytest.raises(ExportError, match="cannot be narrowed"):
        narrowed(other, KEPT, LAST, CLASSES)
