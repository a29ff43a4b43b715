"""Averaging: one member out of several that descend from the same weights.

The mean of such networks' weights often reads better than each of them, at the price of one
(Wortsman et al., "Model soups", 2022). Networks that began apart have no such mean.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.training.errors import DataError
from model.training.fit import checkpoint, run


def average(members: Sequence[Path], shares: Sequence[float], out: Path) -> None:
    """Write the training `out` with one member, the mean of these files `member-<n>.npz`.

    `shares` are the members' weights in the mean, of any sum. Its history is that of all the
    trainings they are of.
    Raises DataError for shares that make no mean, when the trainings differ in more than their
    seed and when `out` exists, and CheckpointError for what cannot be read or written, or has other
    shapes.
    """
    if len(shares) != len(members) or min(shares) < 0 or not sum(shares):
        raise DataError(f"{len(members)} members need as many shares, none below 0: {shares}")
    if out.exists():
        raise DataError(f"{out} exists: a mean needs a folder of its own")
    folders = list(dict.fromkeys(path.parent for path in members))
    settings = run.read_alike(folders)
    loaded = [checkpoint.read(members[0])]
    first = loaded[0][1]
    shapes = {name: array.shape for name, array in first.items()}
    loaded += [checkpoint.load(path, shapes) for path in members[1:]]
    mean = {
        name: np.average([arrays[name] for _, arrays in loaded], axis=0, weights=shares).astype(
            first[name].dtype
        )
        for name in first
    }
    run.begin(out, settings[0])
    before = 0
    for history in map(run.read_history, folders):
        for line in history:
            run.append_history(out, {**line, "step": before + line["step"]})
        before += history[-1]["step"]
    checkpoint.save(out / run.WEIGHTS.format(1), max(step for step, _ in loaded), mean)
