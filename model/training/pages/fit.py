"""Fitting the detector: a run of so many steps, which goes on where it was interrupted."""

from __future__ import annotations

import time
from pathlib import Path
from queue import Queue
from threading import Thread

import keras
import numpy as np
import tensorflow as tf

from model.bundle import Bundle
from model.detection import UNIT
from model.training.fit import checkpoint
from model.training.pages.crops import Crops, Floats
from model.training.pages.network import HEATS, SIDES, build
from model.training.pages.revive import revive

BATCH = 4
KEEP_EVERY = 25  # steps
WEIGHTS = "detector.npz"
_DECAY = 0.02
_STEADY = 0.985  # of the averaged weights, how much stays at each step
_READY = 3  # batches
_LOOKS = 8  # batches, by which a detector is revived
_PEAK = 0.999  # of a heat: the middle of a character


def fit(
    data: Path, run: Path, steps: int, seed: int, rate: float = 2e-3, after: Bundle | None = None
) -> None:
    """Train on the sheets of a folder; the averaged weights lie in ``run`` every 25 steps.

    It begins with the detector of ``after``, if that is given.

    Raises:
        DataError: the folder holds no sheets, or ``after`` no detector of this build.
        CheckpointError: what lies in ``run`` is damaged, or of another network.
    """
    crops, model = Crops(data), build()
    path, done = run / WEIGHTS, 0
    if after is not None and not path.exists():
        rng = np.random.default_rng(seed)
        revive(model, after, [crops.batch(BATCH, rng)[0] for _ in range(_LOOKS)])
    averaged = [weight.numpy() for weight in model.weights]
    shapes = {str(number): weight.shape for number, weight in enumerate(averaged)}
    if path.exists():
        done, arrays = checkpoint.load(path, shapes)
        averaged = [arrays[name] for name in shapes]
        model.set_weights(averaged)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=_DECAY)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(pictures: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            heat, box = _losses(model(pictures, training=True), wanted)
            total = heat + box
        variables = model.trainable_variables
        gradients = tape.gradient(total, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        optimizer.apply(gradients, variables)
        return heat, box

    batches: Queue[tuple[Floats, Floats]] = Queue(_READY)
    Thread(target=_feed, args=(crops, batches, seed + done), daemon=True).start()
    began, seen = time.monotonic(), np.zeros(2)
    for number in range(done, steps):
        share = number / steps
        optimizer.learning_rate = (
            rate
            * min(1, (number - done + 1) / 50)
            * (0.02 + 0.98 * (1 + np.cos(np.pi * share)) / 2)
        )
        losses = step(*batches.get())
        seen += [float(loss) for loss in losses]
        keep = min(_STEADY, (number + 1) / (number + 10))
        pairs = zip(averaged, model.get_weights(), strict=True)
        averaged = [keep * old + (1 - keep) * new for old, new in pairs]
        if (number + 1) % KEEP_EVERY == 0 or number + 1 == steps:
            checkpoint.save(path, number + 1, dict(zip(shapes, averaged, strict=True)))
            heat, box = seen / KEEP_EVERY
            took = (time.monotonic() - began) / (number + 1 - done)
            print(
                f"{number + 1}/{steps}  heat {heat:.3f}  box {box:.3f}  {took:.2f} s/step",
                flush=True,
            )
            seen[:] = 0


def _feed(crops: Crops, batches: Queue[tuple[Floats, Floats]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    while True:
        batches.put(crops.batch(BATCH, rng))


def _losses(logits: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """That of the heats, which is CenterNet's focal loss, and that of the boxes."""
    goal = wanted[..., :HEATS]
    counts = wanted[..., HEATS + SIDES : -1]
    chance = tf.clip_by_value(tf.sigmoid(logits[..., :HEATS]), 1e-4, 1 - 1e-4)
    peak = tf.cast(goal > _PEAK, tf.float32)
    hit = peak * (1 - chance) ** 2 * tf.math.log(chance)
    miss = (1 - peak) * (1 - goal) ** 4 * chance**2 * tf.math.log(1 - chance)
    heat = -tf.reduce_sum(counts * (hit + miss)) / (tf.reduce_sum(peak) + 1)
    mask = wanted[..., -1]
    logs = tf.clip_by_value(logits[..., HEATS:], -4, 4)
    sides, true = UNIT * tf.exp(logs), tf.maximum(wanted[..., HEATS : HEATS + SIDES], 0.5)
    inner = tf.minimum(sides, true)
    both = (inner[..., 0] + inner[..., 2]) * (inner[..., 1] + inner[..., 3])
    size = lambda s: (s[..., 0] + s[..., 2]) * (s[..., 1] + s[..., 3])  # noqa: E731
    overlap = both / (size(sides) + size(true) - both)
    apart = tf.reduce_mean(tf.abs(logs - tf.math.log(true / UNIT)), axis=-1)
    box = tf.reduce_sum(mask * (1 - overlap + 0.3 * apart)) / (tf.reduce_sum(mask) + 1)
    return heat, 2 * box
