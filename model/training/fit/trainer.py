"""The training loop: one network, its running average, and a checkpoint that resumes exactly."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.training.data.augmentation import augment, plain
from model.training.data.batches import Batches
from model.training.data.dataset import Dataset
from model.training.fit import anneal, checkpoint, network
from model.training.fit.run import STATE, append_history, save_weights
from model.training.fit.teacher import Teacher

REPORT_EVERY = 50
NOT_DECAYED = ["gamma", "beta", "bias"]
# What telling a foreign character from the others counts, beside telling that it is `isnull`.
_APART = 0.5


@dataclass(frozen=True)
class Round:
    """A part of a training that ends in a member: (input size in pixels, epochs), one by one."""

    phases: tuple[tuple[int, int], ...]

    @property
    def epochs(self) -> int:
        """Of all phases."""
        return sum(epochs for _, epochs in self.phases)

    def size_at(self, epoch: int) -> int:
        """The input size in pixels of an epoch of the round."""
        last = 0
        for size, epochs in self.phases:
            last += epochs
            if epoch < last:
                return size
        return self.phases[-1][0]


@dataclass(frozen=True)
class Plan:
    """How to train: one network, of which every round leaves a snapshot as a member.

    The learning rate falls to nothing along each round. One long round makes the best member; with
    more, the rate jumps up again for the next, far enough to end in another member (Huang et al.,
    "Snapshot Ensembles", 2017), which costs less and differs less than one begun anew.
    """

    rounds: tuple[Round, ...]
    batch: int = 128
    rate: float = 1.5e-3
    warmup: int = 300
    decay: float = 0.05
    smoothing: float = 0.05
    average: float = 0.998
    seed: int = 1

    @property
    def size(self) -> int:
        """The input size in pixels at which every round ends."""
        return self.rounds[-1].phases[-1][0]

    def steps(self, per_epoch: int) -> int:
        """All steps of all rounds."""
        return sum(each.epochs for each in self.rounds) * per_epoch

    def place(self, epoch: int) -> tuple[int, int]:
        """The number of the round of an epoch, from 0, and the epoch's number in it."""
        for number, each in enumerate(self.rounds):
            if epoch < each.epochs:
                return number, epoch
            epoch -= each.epochs
        return len(self.rounds) - 1, self.rounds[-1].epochs

    def size_at(self, epoch: int) -> int:
        """The input size in pixels of an epoch."""
        number, within = self.place(epoch)
        return self.rounds[number].size_at(within)

    def rate_at(self, step: int, per_epoch: int) -> float:
        """The learning rate: up over `warmup` steps of a round, then down to 0 along a cosine."""
        number, within = self.place(step // per_epoch)
        done = within * per_epoch + step % per_epoch
        share = done / (self.rounds[number].epochs * per_epoch)
        return anneal.rate_at(self.rate, done, self.warmup, share)


def _told_apart(foreign: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The loss of the rows (n,) that show a foreign character, spread over all of them."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(foreign, 0), logits)
    return tf.reduce_mean(tf.where(foreign >= 0, each, 0.0))


class Trainer:
    """Trains `model` in place; `shadow` is the running average of its variables, the better one."""

    def __init__(
        self,
        model: keras.Model,
        plan: Plan,
        teacher: Teacher | None = None,
        foreign: int = 0,
    ) -> None:
        """With so many `foreign` characters, it also learns to tell these apart.

        That is the task of a head which no member keeps.
        """
        self.model, self.plan, self.step = model, plan, 0
        self._pupil = network.with_foreign(model, foreign) if foreign else model
        self._teacher = teacher
        self.shadow = keras.models.clone_model(model)
        self.shadow.set_weights(model.get_weights())
        self._optimizer = keras.optimizers.AdamW(plan.rate, weight_decay=plan.decay)
        self._optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        self._optimizer.build(self._pupil.trainable_variables)
        self._loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=plan.smoothing
        )
        self._look = tf.function(augment)
        self._train = tf.function(self._train_step)
        self._predict = tf.function(lambda images, size: self.shadow(plain(images, size)))

    def fit(
        self,
        batches: Batches,
        tuning: Dataset,
        folder: Path,
        report: Callable[[dict[str, Any]], None],
        stop_after: int | None = None,
        save_every: int = 100,
    ) -> None:
        """Train to the end of the plan, or to `stop_after` steps; resume if `folder` has a state.

        `report` gets the step, the input size, the mean loss and the seconds since the epoch began.
        Writes the state every `save_every` steps and at the end of every epoch. Then it also
        measures the shadow on `tuning` and adds a line to the history. At the end of a round the
        shadow's weights are written as a member.
        Raises CheckpointError when the state cannot be read or written.
        """
        state = folder / STATE
        if state.exists():
            self.restore(state)
        last = min(self.plan.steps(batches.per_epoch), stop_after or math.inf)
        began, losses = time.monotonic(), []
        while self.step < last:
            losses.append(self._advance(batches))
            ended = self.step % batches.per_epoch == 0
            if ended or self.step % REPORT_EVERY == 0:
                line = {
                    "step": self.step,
                    "size": self._size_of_last(batches),
                    "loss": float(np.mean([float(loss) for loss in losses])),
                    "seconds": round(time.monotonic() - began, 1),
                }
                if ended:
                    line["accuracy"] = self._measure(batches, tuning)
                    self._keep_member(batches, folder)
                    append_history(folder, line)
                    began = time.monotonic()
                report(line)
                losses.clear()
            if ended or self.step == last or self.step % save_every == 0:
                self.save(state)

    def predict(
        self, images: npt.NDArray[np.uint8], size: int, batch: int = 128
    ) -> npt.NDArray[np.float32]:
        """The shadow's logits float32 (n, classes) of images uint8 (n, s, s, 3)."""
        parts = [
            self._predict(images[start : start + batch], size).numpy()
            for start in range(0, len(images), batch)
        ]
        return np.concatenate(parts)

    def save(self, path: Path) -> None:
        """Everything that the next step depends on, in one file."""
        arrays = {name: variable.numpy() for name, variable in self._variables().items()}
        checkpoint.save(path, self.step, arrays)

    def restore(self, path: Path) -> None:
        """Take up a saved state; raises CheckpointError as `checkpoint.load` does."""
        variables = self._variables()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        self.step, arrays = checkpoint.load(path, shapes)
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def _advance(self, batches: Batches) -> tf.Tensor:
        """Train on the next batch; returns the loss."""
        batch = batches.at(self.step)
        self._optimizer.learning_rate.assign(self.plan.rate_at(self.step, batches.per_epoch))
        seed = tf.constant([self.plan.seed, self.step], tf.int32)
        self.step += 1
        size = self._size_of_last(batches)
        if self._teacher is None:
            return self._train(self._look(batch.images, size, seed), batch.wanted, batch.foreign)
        looks = self._look(batch.images, max(size, self._teacher.size), seed)
        wanted = self._teacher.soften(batch.wanted, looks, batch.taken)
        return self._train(plain(looks, size), wanted, batch.foreign)

    def _size_of_last(self, batches: Batches) -> int:
        return self.plan.size_at((self.step - 1) // batches.per_epoch)

    def _measure(self, batches: Batches, tuning: Dataset) -> float:
        logits = self.predict(tuning.images, self._size_of_last(batches))
        return float(np.mean(logits.argmax(axis=1) == tuning.targets))

    def _keep_member(self, batches: Batches, folder: Path) -> None:
        """At the end of a round."""
        number, within = self.plan.place(self.step // batches.per_epoch - 1)
        if within + 1 == self.plan.rounds[number].epochs:
            save_weights(folder, number + 1, self.shadow, self.step)

    def _variables(self) -> dict[str, keras.Variable]:
        holders = (("model", self._pupil), ("shadow", self.shadow), ("optimizer", self._optimizer))
        return {
            f"{kind}/{index}": variable
            for kind, holder in holders
            for index, variable in enumerate(holder.variables)
        }

    def _train_step(self, looks: tf.Tensor, wanted: tf.Tensor, foreign: tf.Tensor) -> tf.Tensor:
        """One step of AdamW and of the running average; returns the loss."""
        with tf.GradientTape() as tape:
            if self._pupil is self.model:
                loss = self._loss(wanted, self.model(looks, training=True))
            else:
                logits, others = self._pupil(looks, training=True)
                loss = self._loss(wanted, logits) + _APART * _told_apart(foreign, others)
        trainable = self._pupil.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, trainable), trainable, strict=True))
        anneal.follow(self.shadow.weights, self.model.weights, self._optimizer, self.plan.average)
        return loss
