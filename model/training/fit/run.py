"""The folder of one training: what was asked for, the state, the history and the best weights."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras

from model.training.data.dataset import Dataset, split
from model.training.errors import CheckpointError, DataError
from model.training.fit import checkpoint, network

SETTINGS, STATE, WEIGHTS = "training.json", "state.npz", "member-{}.npz"
HISTORY = "history.jsonl"
_NUMBER = re.compile(WEIGHTS.format(r"(\d+)"))


@dataclass(frozen=True)
class Settings:
    """What makes two trainings the same, so that one may go on where the other stopped.

    `labels` is the SHA-256 of the list, `data` that of the file names, `size` the input size in
    pixels of the last phase, `held_out` the share of the data kept to choose by.
    """

    labels: str
    data: str
    size: int
    held_out: float
    seed: int

    @classmethod
    def of(
        cls, labels: tuple[str, ...], dataset: Dataset, size: int, held_out: float, seed: int
    ) -> "Settings":
        """The settings of a training on `dataset`."""
        return cls(_digest(labels), _digest(dataset.names), size, held_out, seed)

    def tuning(self, dataset: Dataset) -> Dataset:
        """The part of the dataset that was held out of the training to choose by.

        Raises DataError when it is not the dataset of the training.
        """
        if _digest(dataset.names) != self.data:
            raise DataError("these are not the images of the training: their names differ")
        _, rows = split(dataset.targets, self.held_out)
        return dataset.take(rows)


def begin(folder: Path, settings: Settings) -> None:
    """Note the settings in the folder.

    Raises DataError when it holds another training, CheckpointError when it cannot be written.
    """
    path = folder / SETTINGS
    if not path.exists():
        _append(path, json.dumps(asdict(settings)))
    elif read_settings(folder) != settings:
        raise DataError(f"{folder} holds a training with other data or settings: choose another")


def read_settings(folder: Path) -> Settings:
    """The settings noted in the folder; raises CheckpointError when there are none."""
    try:
        return Settings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no training: {error}") from error


def read_alike(folders: list[Path]) -> list[Settings]:
    """The settings of trainings whose members may be put together: only the seeds differ.

    Raises DataError when more does, and CheckpointError as `read_settings` does.
    """
    settings = [read_settings(folder) for folder in folders]
    if len({replace(each, seed=0) for each in settings}) > 1:
        raise DataError("the runs differ in labels, input size, images or share held out")
    return settings


def save_weights(folder: Path, number: int, model: keras.Model, step: int) -> None:
    """Write the weights of member `number`, counted from 1, reached after `step` steps."""
    arrays = {str(index): weight.numpy() for index, weight in enumerate(model.weights)}
    checkpoint.save(folder / WEIGHTS.format(number), step, arrays)


def members(folder: Path) -> list[int]:
    """The numbers of the members that the training has left so far; raises CheckpointError."""
    found = (_NUMBER.fullmatch(path.name) for path in folder.glob(WEIGHTS.format("*")))
    numbers = sorted(int(match[1]) for match in found if match)
    if not numbers:
        raise CheckpointError(f"{folder} holds no member yet: train to the end of a round first")
    return numbers


def append_history(folder: Path, line: dict[str, Any]) -> None:
    """Add a line to the history of the folder."""
    _append(folder / HISTORY, json.dumps(line))


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The lines of the history, one for every epoch; raises CheckpointError when unreadable."""
    try:
        text = (folder / HISTORY).read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        # A training killed between the line and the state has ended that epoch twice.
        return list({line["step"]: line for line in lines}.values())
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"cannot read the history of {folder}: {error}") from error


def load_network(
    folder: Path, number: int, settings: Settings, labels: tuple[str, ...]
) -> keras.Model:
    """Member `number`, counted from 1, of the training of the folder, at its input size.

    Raises DataError when it was trained for other labels, CheckpointError when its weights are
    missing or corrupt.
    """
    if _digest(labels) != settings.labels:
        raise DataError(f"{folder} was trained for another list of labels")
    model = network.build(len(labels), settings.size)
    shapes = {str(index): tuple(weight.shape) for index, weight in enumerate(model.weights)}
    _, arrays = checkpoint.load(folder / WEIGHTS.format(number), shapes)
    model.set_weights([arrays[str(index)] for index in range(len(shapes))])
    return model


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _append(path: Path, line: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error}") from error
