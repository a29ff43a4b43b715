"""The tuning of a reader of lines: it learns single characters, and stays resumable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from tqdm import tqdm

from model.training.data.augmentation import augment
from model.training.data.batches import Batches
from model.training.fit import anneal, checkpoint
from model.training.frozen.line_reader import LineReader
from model.training.judge.evaluation import Floats, Images

STATE = "reader.npz"
_DECAY, _SMOOTHING, _AVERAGE, _WARMUP, _NORM = 0.02, 0.05, 0.998, 150, 5.0
_SAVE_EVERY = 200


@dataclass(frozen=True)
class Lessons:
    """How long and how fast: the rate goes up over 150 steps, then down to 0 along a cosine.

    ``seed``: of the order and the looks of what is shown; with another one it errs otherwise.
    """

    epochs: int
    rate: float
    seed: int = 1

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step."""
        return anneal.rate_at(self.rate, step, _WARMUP, step / steps)


class ReaderTuner:
    """Tunes all of a reader in place; what remains is the running average of its variables."""

    def __init__(self, reader: LineReader, lessons: Lessons) -> None:
        self._reader, self._lessons = reader, lessons
        self._averages = [tf.Variable(variable) for variable in reader.variables]
        self._optimizer = keras.optimizers.AdamW(
            lessons.rate, weight_decay=_DECAY, global_clipnorm=_NORM
        )
        self._optimizer.build(reader.variables)
        self._learn = tf.function(self._step)

    def fit(self, batches: Batches, folder: Path) -> int:
        """Learn to the end of the lessons, from where ``folder`` has a state; returns the steps.

        Raises:
            CheckpointError: the state cannot be read or written.
        """
        state = folder / STATE
        step = self._restored(state) if state.exists() else 0
        steps = self._lessons.epochs * batches.per_epoch
        with tqdm(total=steps, initial=step, desc="reader", unit="step", disable=None) as bar:
            while step < steps:
                batch = batches.at(step)
                self._optimizer.learning_rate.assign(self._lessons.rate_at(step, steps))
                loss = self._learn(
                    batch.images, batch.wanted, tf.constant([self._lessons.seed, step])
                )
                step += 1
                bar.set_postfix(loss=f"{float(loss):.3f}", refresh=False)
                bar.update()
                if step % _SAVE_EVERY == 0 or step == steps:
                    arrays = {name: each.numpy() for name, each in self._state().items()}
                    checkpoint.save(state, step, arrays)
        for variable, average in zip(self._reader.variables, self._averages, strict=True):
            variable.assign(average)
        return step

    def begin_after(self, folder: Path) -> None:
        """Begin with what another training of the same reader has ended with.

        Raises:
            CheckpointError: its state cannot be read, or is that of another reader.
        """
        shapes = {name: tuple(variable.shape) for name, variable in self._state().items()}
        _, arrays = checkpoint.load(folder / STATE, shapes)
        for number, (variable, average) in enumerate(
            zip(self._reader.variables, self._averages, strict=True)
        ):
            variable.assign(arrays[f"average/{number}"])
            average.assign(arrays[f"average/{number}"])

    def _step(self, images: Images, wanted: Floats, seed: tf.Tensor) -> tf.Tensor:
        """A step of AdamW and of the running average; returns the mean loss."""
        looks = augment(images, images.shape[1], seed)
        variables = self._reader.variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                keras.losses.categorical_crossentropy(
                    wanted, self._reader(looks), label_smoothing=_SMOOTHING
                )
            )
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        anneal.follow(self._averages, variables, self._optimizer, _AVERAGE)
        return loss

    def _restored(self, path: Path) -> int:
        variables = self._state()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        step, arrays = checkpoint.load(path, shapes)
        for name, variable in variables.items():
            variable.assign(arrays[name])
        return step

    def _state(self) -> dict[str, tf.Variable]:
        """Everything that the next step depends on."""
        holders = (self._reader.variables, self._averages, self._optimizer.variables)
        return {
            f"{kind}/{number}": variable
            for kind, holder in zip(("reader", "average", "optimizer"), holders, strict=True)
            for number, variable in enumerate(holder)
        }
