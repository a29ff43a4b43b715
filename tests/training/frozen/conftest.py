"""A small frozen network and pictures for it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from model.training.frozen.freeze import freeze
from tests.training.world import LABELS, trained_network


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def graph(images: np.ndarray) -> tf.compat.v1.GraphDef:
    return freeze(trained_network(len(LABELS), images), "fp32")
