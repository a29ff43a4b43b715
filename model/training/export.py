"""Running frozen graphs, comparing them with their networks, and putting files in place."""

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.packing import put_in_place
from model.training.errors import ExportError
from model.training.freeze import IMAGE, PROBABILITIES

BATCH = 128
Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Parity:
    """How a frozen member answers beside its network on a number of images.

    `agreement` is the share answered alike, `largest_difference` that of any probability.
    """

    agreement: float
    largest_difference: float
    images: int


def op_types(graph: tf.compat.v1.GraphDef) -> dict[str, int]:
    """How many nodes of each op type the graph has."""
    return dict(sorted(Counter(node.op for node in graph.node).items()))


def network_answers(model: keras.Model, images: Images) -> Floats:
    """Probabilities float32 (n, classes) of the network of logits."""
    return _in_batches(lambda batch: tf.nn.softmax(model(batch, training=False)), images)


def frozen_answers(graph: tf.compat.v1.GraphDef, images: Images) -> Floats:
    """Probabilities float32 (n, classes) of the frozen graph, run by TensorFlow."""

    def imported(batch: tf.Tensor) -> tf.Tensor:
        (output,) = tf.graph_util.import_graph_def(
            graph, input_map={IMAGE: batch}, return_elements=[f"{PROBABILITIES}:0"], name=""
        )
        return output

    return _in_batches(imported, images)


def compare(reference: Floats, frozen: Floats) -> Parity:
    """Parity of two arrays of probabilities (n, classes) of the same images."""
    same = reference.argmax(axis=1) == frozen.argmax(axis=1)
    return Parity(float(same.mean()), float(np.abs(reference - frozen).max()), len(same))


def publish(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of these files, by relative path, in place of `folder`.

    All are written beside it first. Raises ExportError when that fails; the old folder stays.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="export-") as scratch:
            for name, content in files.items():
                path = Path(scratch, "new", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            put_in_place(Path(scratch, "new"), folder, aside=Path(scratch, "old"))
    except OSError as error:
        raise ExportError(f"cannot write {folder}: {error}") from error


def _in_batches(run: Callable[[tf.Tensor], tf.Tensor], images: Images) -> Floats:
    traced = tf.function(run, reduce_retracing=True)
    starts = range(0, len(images), BATCH)
    parts = [traced(tf.cast(images[start : start + BATCH], tf.float32)) for start in starts]
    return np.concatenate([part.numpy() for part in parts])
