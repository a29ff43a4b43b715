"""The training loop: siblings, their running average, and a checkpoint that resumes exactly."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model.training import checkpoint
from model.training.augmentation import augment, plain
from model.training.batches import Batches
from model.training.dataset import Dataset
from model.training.evaluation import Floats, Images
from model.training.run import STATE, append_history, save_weights
from model.training.siblings import Siblings

REPORT_EVERY = 50
NOT_DECAYED = ["gamma", "beta", "bias"]


@dataclass(frozen=True)
class Plan:
    """How to train. `phases` are (input size in pixels, epochs), run one after the other."""

    phases: tuple[tuple[int, int], ...]
    members: int = 5
    batch: int = 128
    rate: float = 1.5e-3
    warmup: int = 300
    decay: float = 0.02
    smoothing: float = 0.1
    average: float = 0.998
    seed: int = 1

    def steps(self, per_epoch: int) -> int:
        """All steps of all phases."""
        return sum(epochs for _, epochs in self.phases) * per_epoch

    def size_at(self, epoch: int) -> int:
        """The input size in pixels of an epoch."""
        last = 0
        for size, epochs in self.phases:
            last += epochs
            if epoch < last:
                return size
        return self.phases[-1][0]

    def rate_at(self, step: int, per_epoch: int) -> float:
        """The learning rate: up over `warmup` steps, then down to 0 along a cosine."""
        done = step / self.steps(per_epoch)
        return self.rate * min(1.0, (step + 1) / self.warmup) * (1 + math.cos(math.pi * done)) / 2


class Trainer:
    """Trains `siblings` in place; `shadow` is the running average of their variables.

    The shadow is the better one. Each sibling leaves out a fold of the images, another one each,
    so that it can be asked what it thinks of labels that it has not learnt by heart.
    """

    def __init__(self, siblings: Siblings, plan: Plan, classes: int) -> None:
        self.siblings, self.plan, self.step = siblings, plan, 0
        self.shadow = siblings.copy()
        self._optimizer = keras.optimizers.AdamW(plan.rate, weight_decay=plan.decay)
        self._optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        self._optimizer.build(siblings.trainable_variables)
        self._loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=plan.smoothing, reduction=None
        )
        self._classes = classes
        self._train = tf.function(self._train_step)
        self._predict = tf.function(
            lambda images, size: tf.nn.softmax(self.shadow(plain(images, size), training=False))
        )

    def fit(
        self,
        batches: Batches,
        tuning: Dataset,
        folder: Path,
        report: Callable[[dict[str, Any]], None],
        stop_after: int | None = None,
        save_every: int = 200,
    ) -> None:
        """Train to the end of the plan, or to `stop_after` steps; resume if `folder` has a state.

        `report` gets the step, the input size, the mean loss and the seconds since the epoch began.
        Writes the state every `save_every` steps and at the end of every epoch. Then it also
        measures the shadow on `tuning`, writes its weights and adds a line to the history.
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
                    line |= self._end_epoch(batches, tuning, folder)
                    append_history(folder, line)
                    began = time.monotonic()
                report(line)
                losses.clear()
            if ended or self.step == last or self.step % save_every == 0:
                self.save(state)

    def predict(self, images: Images, size: int, batch: int = 128) -> Floats:
        """The shadow's probabilities float32 (members, n, classes) of images uint8 (n, s, s, 3)."""
        parts = [
            self._predict(images[start : start + batch], size).numpy()
            for start in range(0, len(images), batch)
        ]
        return np.concatenate(parts, axis=1)

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
        images, targets, folds = batches.at(self.step)
        self._optimizer.learning_rate.assign(self.plan.rate_at(self.step, batches.per_epoch))
        seed = tf.constant([self.plan.seed, self.step], tf.int32)
        self.step += 1
        return self._train(images, targets, folds, seed, self._size_of_last(batches))

    def _size_of_last(self, batches: Batches) -> int:
        return self.plan.size_at((self.step - 1) // batches.per_epoch)

    def _end_epoch(self, batches: Batches, tuning: Dataset, folder: Path) -> dict[str, Any]:
        """Keep the shadow's weights; returns the accuracy of all siblings and of each."""
        save_weights(folder, self.shadow.members(), self.step)
        answers = self.predict(tuning.images, self._size_of_last(batches))
        each = np.mean(answers.argmax(axis=2) == tuning.targets, axis=1)
        together = np.mean(answers.mean(axis=0).argmax(axis=1) == tuning.targets)
        return {"accuracy": float(together), "members": [round(float(one), 4) for one in each]}

    def _variables(self) -> dict[str, keras.Variable]:
        holders = (
            ("siblings", self.siblings),
            ("shadow", self.shadow),
            ("optimizer", self._optimizer),
        )
        return {
            f"{kind}/{index}": variable
            for kind, holder in holders
            for index, variable in enumerate(holder.variables)
        }

    def _train_step(
        self, images: tf.Tensor, targets: tf.Tensor, folds: tf.Tensor, seed: tf.Tensor, size: int
    ) -> tf.Tensor:
        """One step of AdamW and of the running average; returns the mean loss of a sibling."""
        wanted = tf.one_hot(targets, self._classes)
        count = len(self.siblings.branches)
        with tf.GradientTape() as tape:
            logits = self.siblings(augment(images, size, seed), training=True)
            loss = 0.0
            for number, each in enumerate(tf.unstack(logits, count)):
                learnt = tf.cast(folds != number, tf.float32)
                loss += tf.reduce_sum(self._loss(wanted, each) * learnt) / tf.reduce_sum(learnt)
        trainable = self.siblings.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, trainable), trainable, strict=True))
        done = tf.cast(self._optimizer.iterations, tf.float32)
        keep = tf.minimum(self.plan.average, done / (done + 10.0))
        for slow, fast in zip(self.shadow.variables, self.siblings.variables, strict=True):
            slow.assign(keep * slow + (1 - keep) * fast)
        return loss / count
