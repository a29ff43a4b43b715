"""Predictions: what every member of a bundle makes of every image, on one engine."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.engines import engine
from model.training.judge.evaluation import Floats, Images


@dataclass(frozen=True)
class Predictions:
    """Probabilities (members, n, classes), and the milliseconds (members, n) that each took."""

    probabilities: Floats
    took_ms: Floats


def predict(graphs: Sequence[Path], engine_name: str, images: Images, classes: int) -> Predictions:
    """Run every graph on images uint8 (n, height, width, 3), one at a time on one thread.

    Raises what ``model.engines`` does.
    """
    runtime = engine(engine_name)
    probabilities = np.empty((len(graphs), len(images), classes), np.float32)
    took_ms = np.empty((len(graphs), len(images)), np.float32)
    for member, graph in enumerate(graphs):
        network = runtime.load(graph, 1)
        name = f"{engine_name}, member {member + 1}/{len(graphs)}"
        for row, image in enumerate(tqdm(images, name, unit="image", disable=None)):
            pixels = image.astype(np.float32)
            start = time.perf_counter()
            probabilities[member, row] = network(pixels)
            took_ms[member, row] = (time.perf_counter() - start) * 1_000
    return Predictions(probabilities, took_ms)
