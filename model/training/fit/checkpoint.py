"""A checkpoint: named arrays and the number of steps done, in one file, never half-written."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.training.errors import CheckpointError

STEP = "step"
# NotImplementedError: a flipped bit can name a compression that the zip reader does not know.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile)
Array = npt.NDArray[Any]


def save(path: Path, step: int, arrays: Mapping[str, Array]) -> None:
    """Write beside `path`, flush to the disk, then rename: the old file stays until then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents: dict[str, Any] = {**arrays, STEP: np.int64(step)}
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **contents)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CheckpointError(f"cannot write the checkpoint {path}: {error}") from error


def load(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, dict[str, Array]]:
    """The steps done and the arrays of `shapes`.

    Raises CheckpointError when the file is missing, corrupt or holds other names or shapes.
    """
    step, arrays = read(path)
    if {name: array.shape for name, array in arrays.items()} != dict(shapes):
        raise CheckpointError(f"the checkpoint {path} is of another network or optimizer")
    return step, arrays


def read(path: Path) -> tuple[int, dict[str, Array]]:
    """The steps done and all arrays; raises CheckpointError when it is missing or corrupt."""
    try:
        # Opened here: numpy leaves a truncated file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
            return int(arrays.pop(STEP)), arrays
    except UNREADABLE as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error}") from error
