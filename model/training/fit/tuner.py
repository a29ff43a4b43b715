"""The tuning loop: the trunks of trained members learn the look of new images within a given time.

New images come from another scanner or on other paper; the characters stay what they are. That is
a change for the first layers, which see strokes and paper, and tuning these alone gains most and
forgets least (Lee et al., "Surgical fine-tuning improves adaptation to distribution shifts", 2023).
What is still forgotten is kept small by ending between the weights of the start and those of the
end (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022): most of the gain comes with
the first half of the way, most of the forgetting with the second.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from model.training.data.augmentation import augment
from model.training.data.batches import Batches
from model.training.fit import anneal
from model.training.fit.network import TRUNK_END
from model.training.fit.trainer import NOT_DECAYED
from model.training.frozen.graph_network import GraphNetwork
from model.training.judge.evaluation import Floats, Images

DECAY, SMOOTHING, AVERAGE, WARMUP = 0.02, 0.1, 0.98, 10
PART = 0.4


@dataclass(frozen=True)
class Budget:
    """How long to tune: until `epochs` are done or `seconds` have passed, whichever is first."""

    seconds: float
    epochs: int = 6
    rate: float = 2e-4

    def done(self, step: int, per_epoch: int, elapsed: float) -> float:
        """The share (0-1) of the tuning that is over after so many steps and seconds."""
        return min(1.0, max(step / (self.epochs * per_epoch), elapsed / self.seconds))

    def rate_at(self, step: int, done: float) -> float:
        """The learning rate: up over ten steps, then down to 0 along a cosine."""
        return anneal.rate_at(self.rate, step, WARMUP, done)


class Tuner:
    """Tunes the trunks of `members` in place and in turn: networks of logits, and graphs.

    All layers run as in serving, since a thawed batch norm has no statistics that could be learnt.
    """

    def __init__(
        self, members: Sequence[keras.Model | GraphNetwork], budget: Budget, seed: int = 1
    ) -> None:
        self._budget, self._seed = budget, seed
        self._trunks = [_Trunk(member, budget.rate) for member in members if member.variables]

    def fit(self, batches: Batches, clock: Callable[[], float] = time.monotonic) -> int:
        """Tune until the budget is spent, and end part of the way; returns the steps of each trunk.

        `clock` gives seconds.
        """
        began, step = clock(), 0
        with tqdm(total=100, desc="tuning", unit="%", disable=None) as bar:
            while (done := self._budget.done(step, batches.per_epoch, clock() - began)) < 1:
                batch = batches.at(step)
                rate = self._budget.rate_at(step, done)
                losses = [
                    trunk.learn(batch.images, batch.wanted, (self._seed, step), rate)
                    for trunk in self._trunks
                ]
                step += 1
                bar.set_postfix(step=step, loss=f"{np.mean(losses):.3f}", refresh=False)
                bar.update(math.floor(100 * done) - bar.n)
            bar.update(100 - bar.n)
        for trunk in self._trunks:
            trunk.end_part_way()
        return step


class _Trunk:
    """A trunk that is tuned behind its branch, its optimizer, the running average of its variables.

    The branch stays as it is.
    """

    def __init__(self, member: keras.Model | GraphNetwork, rate: float) -> None:
        self._logits = not isinstance(member, GraphNetwork)
        self._read: Callable[[tf.Tensor], tf.Tensor]
        if isinstance(member, GraphNetwork):
            self._read, self._variables = member, member.variables
        else:
            cut = member.get_layer(TRUNK_END).output
            self._read = partial(member, training=False)
            self._variables = keras.Model(member.input, cut).trainable_variables
        self._start = [variable.numpy() for variable in self._variables]
        self._averages = [tf.Variable(value) for value in self._start]
        self._optimizer = keras.optimizers.AdamW(rate, weight_decay=DECAY)
        self._optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        self._optimizer.build(self._variables)
        self._step = tf.function(self._learn)

    def learn(self, images: Images, wanted: Floats, seed: tuple[int, int], rate: float) -> float:
        """One step on images uint8 (n, s, s, 3) and probabilities (n, classes); the mean loss."""
        self._optimizer.learning_rate.assign(rate)
        return float(self._step(images, wanted, tf.constant(seed, tf.int32)))

    def end_part_way(self) -> None:
        """Leave the trunk between its start and the running average."""
        for variable, start, average in zip(
            self._variables, self._start, self._averages, strict=True
        ):
            variable.assign(start + PART * (average.numpy() - start))

    def _learn(self, images: tf.Tensor, wanted: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """A step of AdamW and of the running average."""
        looks = augment(images, images.shape[1], seed)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                keras.losses.categorical_crossentropy(
                    wanted,
                    self._read(looks),
                    from_logits=self._logits,
                    label_smoothing=SMOOTHING,
                )
            )
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        anneal.follow(self._averages, self._variables, self._optimizer, AVERAGE)
        return loss
