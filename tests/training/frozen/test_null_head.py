"""The head of isnull on frozen graphs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.engines import engine
from model.training.errors import ExportError
from model.training.fit import network
from model.training.frozen import null_head
from model.training.frozen.null_head import NullHead, head_of, with_head, without
from model.training.frozen.parity import compare, frozen_answers, network_answers
from model.training.frozen.release import read_frozen
from model.training.frozen.thaw import thaw
from model.training.judge.evaluation import Floats
from tests.training.world import LABELS, tiny_network, trained_network

CLASSES, LAST = len(LABELS), len(LABELS) - 1
HEAD = NullHead(middle=0.5, slope=2.0)


def by_hand(logits: Floats, isnull: int, head: NullHead) -> Floats:
    others = np.delete(logits, isnull, axis=1)
    score = logits[:, isnull] - 0.5 * others.max(axis=1)
    none = 1 / (1 + np.exp(-head.slope * (score - head.middle)))
    powers = np.exp(others - others.max(axis=1, keepdims=True))
    shared = powers / powers.sum(axis=1, keepdims=True) * (1 - none[:, None])
    return np.insert(shared, isnull, none, axis=1)


@pytest.mark.parametrize("isnull", [0, 1, LAST])
def test_it_shares_out_what_is_not_isnull(
    isnull: int, graph: tf.compat.v1.GraphDef, images: np.ndarray
) -> None:
    model = trained_network(CLASSES, images)
    logits = network_answers(model, images, tf.identity)
    wanted = by_hand(logits, isnull, HEAD)

    found = frozen_answers(with_head(graph, isnull, HEAD), images)

    assert wanted[:, isnull].std() > 0.001
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        HEAD.scores(found, isnull), logits[:, isnull] - np.delete(logits, isnull, 1).max(1) / 2,
        atol=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["openvino", "tensorflow"])
def test_every_engine_serves_it(
    name: str, graph: tf.compat.v1.GraphDef, images: np.ndarray, tmp_path: Path
) -> None:
    headed = with_head(graph, LAST, HEAD)
    (tmp_path / "one.pb").write_bytes(headed.SerializeToString())

    read = engine(name).load(tmp_path / "one.pb", 1)

    np.testing.assert_allclose(
        read(images[0].astype(np.float32)), frozen_answers(headed, images[:1])[0], atol=1e-4
    )


def test_it_can_be_taken_off_and_put_on_anew(
    graph: tf.compat.v1.GraphDef, images: np.ndarray
) -> None:
    headed = with_head(graph, LAST, NullHead())
    bare = without(headed)

    assert (head_of(graph), head_of(bare), head_of(headed)) == (None, None, NullHead())
    assert without(graph) is graph
    np.testing.assert_allclose(
        frozen_answers(bare, images), frozen_answers(graph, images), atol=1e-6
    )
    again = with_head(bare, LAST, HEAD)
    assert head_of(again) == HEAD
    assert len(again.node) == len(headed.node)


def test_a_network_is_thawed_from_under_it(
    graph: tf.compat.v1.GraphDef, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "build", tiny_network)

    model = thaw(with_head(graph, LAST, HEAD), CLASSES, 32, "tiny/1")

    answers = network_answers(model, images)
    assert compare(frozen_answers(graph, images), answers).largest_difference < 1e-4


def test_a_graph_without_a_softmax_is_refused(graph: tf.compat.v1.GraphDef) -> None:
    other = tf.compat.v1.GraphDef()
    other.CopyFrom(graph)
    (softmax,) = [node for node in other.node if node.op == "Softmax"]
    softmax.op = "Sigmoid"
    with pytest.raises(ExportError, match="does not end in a softmax"):
        with_head(other, LAST, HEAD)


def test_it_is_fitted_to_the_characters_that_can_be_read(
    graph: tf.compat.v1.GraphDef, images: np.ndarray, tmp_path: Path
) -> None:
    """Those whose labels the members rule out do not count."""
    (tmp_path / "one.pb").write_bytes(graph.SerializeToString())

    def read(graphs: Sequence[Path]) -> Floats:
        return read_frozen(graphs, images)

    right = np.delete(frozen_answers(graph, images), LAST, axis=1).argmax(axis=1)
    known = right[:10]

    head = null_head.fitted([tmp_path / "one.pb"], LAST, known, read, tmp_path)
    nobody = null_head.fitted([tmp_path / "one.pb"], LAST, np.full(10, LAST), read, tmp_path)

    logits = network_answers(trained_network(CLASSES, images), images[:10], tf.identity)
    scores = logits[:, LAST] - logits[:, :LAST].max(axis=1) / 2
    assert head.middle == pytest.approx(np.quantile(scores, 0.97), abs=1e-3)
    assert head.slope == pytest.approx(2 / max(scores.std(), 0.5), rel=1e-2)
    assert nobody == NullHead()
