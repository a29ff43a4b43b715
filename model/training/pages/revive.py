"""Reviving: the detector of a bundle becomes a network again that a training goes on from.

Its batch norms are folded into its kernels. As a training needs some that live, each gets the mean
and variance of what comes to it on a few batches, and a scale and a bias that undo them: the
network finds what it found, and its next step is as any other's.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from model.bundle import Bundle
from model.training.errors import DataError
from model.training.frozen.thaw import fill, read_graph
from model.training.pages.crops import Floats


def revive(model: keras.Model, bundle: Bundle, batches: list[Floats]) -> None:
    """Give the network the weights of the bundle's detector.

    Args:
        model: as ``model.training.pages.network`` builds it.
        bundle: one for sheets.
        batches: pictures (n, h, w, 3), 0-255, as it will be trained on.

    Raises:
        DataError: the bundle has no detector, or one of another build.
    """
    rules = bundle.manifest.sheet
    if rules is None:
        raise DataError(f"{bundle.id} has no detector")
    fill(model, read_graph(bundle, rules.detector.path), bundle.id)
    norms = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    coming = keras.Model(model.input, [norm.input for norm in norms])
    seen = [
        [(tf.reduce_mean(value, (0, 1, 2)), tf.reduce_mean(value**2, (0, 1, 2))) for value in each]
        for each in (coming(batch, training=False) for batch in batches)
    ]
    for norm, of_norm in zip(norms, zip(*seen, strict=True), strict=True):
        mean, square = (np.mean(part, axis=0) for part in zip(*of_norm, strict=True))
        variance = np.maximum(square - mean**2, 0)
        _, bias, _, _ = norm.get_weights()
        norm.set_weights([np.sqrt(variance + norm.epsilon), bias + mean, mean, variance])
