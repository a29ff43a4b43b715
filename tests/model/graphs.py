"""Tiny frozen graphs that name the strongest colour of a picture.

Who makes none, but looks at their pictures and facts, needs no TensorFlow.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import tensorflow as tf

SIDE = 32
LABELS = ("紅", "綠", "isnull")
RED, GREEN, BLUE = (220, 40, 30), (40, 210, 60), (20, 60, 230)

FACTS: dict[str, Any] = {
    "name": "tiny",
    "version": "1",
    "labels": LABELS,
    "input": {"height": SIDE, "width": SIDE},
    "engines": {"openvino": 1.0},
    "accuracy": {},
    "provenance": {},
    "licence": "MIT",
}


def picture(colour: tuple[int, int, int], file_format: str = "PNG") -> bytes:
    """A sheet of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 67), colour).save(stream, file_format)
    return stream.getvalue()


def logits(image: tf.Tensor, classes: int = len(LABELS), seed: int = 0) -> tf.Tensor:
    """A convolution that passes the colours on, with some random weights of its own."""
    import tensorflow as tf

    filters = np.random.default_rng(seed).normal(0, 0.05, (3, 3, 3, classes)).astype(np.float32)
    filters[1, 1] += np.eye(3, classes)
    seen = tf.nn.relu(tf.nn.conv2d(image / 255.0, filters, strides=2, padding="SAME"))
    return 4.0 * tf.reduce_mean(seen, axis=[1, 2])


def softmax(values: tf.Tensor) -> tf.Tensor:
    """Probabilities of what ``logits`` gives."""
    import tensorflow as tf

    return tf.nn.softmax(values)


def freeze(
    path: Path,
    head: Callable[[tf.Tensor], tf.Tensor] = lambda image: softmax(logits(image)),
    side: int = SIDE,
) -> Path:
    """Write the graph from the placeholder ``image`` to ``probabilities`` that ``head`` makes."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, side, side, 3], name="image")
        tf.identity(head(image), name="probabilities")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path
