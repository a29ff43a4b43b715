"""Labelled images, decoded once into one array."""

import hashlib
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import ImageUnreadable
from model.image import decode
from model.training.data.sources import Entry, contents, listed
from model.training.errors import DataError

SHOWN = 5


@dataclass(frozen=True)
class Dataset:
    """Images uint8 (n, size, size, 3), their class indexes int32 (n,) and their names."""

    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: npt.NDArray[np.intp]) -> "Dataset":
        """A copy of these rows."""
        names = tuple(self.names[row] for row in rows)
        return Dataset(self.images[rows], self.targets[rows], names)


def load(
    source: Path, labels: tuple[str, ...], size: int, cache: Path, label: str | None = None
) -> Dataset:
    """Every image of a folder, tar or CSV at size x size pixels, in the order of `listed`.

    With `label` all of them are of that class, whatever their names say. The pixels are decoded
    once and kept in `cache` as a memory-mapped array, under a name that changes with the files, so
    that the next run starts at once. What is left out of the source is told on stderr.
    Raises DataError for a source that is missing, empty or damaged, for an image that cannot be
    read, for labels outside `labels` and for a cache that cannot be written.
    """
    listing = listed(source)
    if listing.left_out:
        print(listing, file=sys.stderr, flush=True)
    found = listing.entries
    if label is not None:
        found = [replace(entry, label=label) for entry in found]
    targets = _targets(source, found, labels)
    versions = [(entry.path, entry.version) for entry in found]
    key = hashlib.sha256(repr((str(source.resolve()), size, versions)).encode()).hexdigest()[:16]
    path = cache / f"{key}-{size}.npy"
    if not path.exists():
        try:
            _fill(path, source, {entry.path: row for row, entry in enumerate(found)}, size)
        except OSError as error:
            raise DataError(f"cannot write the cache {cache}: {error}") from error
    try:
        images = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the cache {path}: {error}; delete it and retry") from error
    return Dataset(images, targets, tuple(entry.name for entry in found))


def split(
    targets: npt.NDArray[np.int32], share: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Row numbers (kept, held out): about `share` of every class is held out to choose by.

    Each class holds out the whole part of its share, and one more with the probability of the
    rest, so that small classes are held out in proportion too; one image at least is kept. The
    split is the same every time, so that members trained with other seeds can be judged together.
    """
    rng = np.random.default_rng(0)
    held: list[npt.NDArray[np.intp]] = []
    for target in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == target))
        count = int(len(rows) * share + rng.random())
        held.append(rows[: min(count, len(rows) - 1)])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(targets)), out), out


def _targets(source: Path, found: list[Entry], labels: tuple[str, ...]) -> npt.NDArray[np.int32]:
    indexes = {label: index for index, label in enumerate(labels)}
    unlisted = [entry for entry in found if entry.label not in indexes]
    if unlisted:
        shown = ", ".join(f"{entry.name} ({entry.label!r})" for entry in unlisted[:SHOWN])
        more = ", ..." if len(unlisted) > SHOWN else ""
        raise DataError(
            f"{source}: the label of {len(unlisted)} of {len(found)} images is not in the label"
            f" list: {shown}{more}; correct or remove them, or use a list that has their labels"
        )
    return np.array([indexes[entry.label] for entry in found], np.int32)


def _fill(path: Path, source: Path, rows: dict[str, int], size: int) -> None:
    """Decode everything beside `path`, then rename, so that no half-filled cache is ever found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Checked first: a disk that fills up under a mapped file kills the process.
    wanted, free = len(rows) * size * size * 3, shutil.disk_usage(path.parent).free
    if wanted >= free:
        raise DataError(f"{path.parent}: {wanted >> 20} MiB of decoded images; {free >> 20} free")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        beside = Path(folder) / path.name
        images = np.lib.format.open_memmap(
            beside, mode="w+", dtype=np.uint8, shape=(len(rows), size, size, 3)
        )
        missing, unreadable = set(rows), dict[str, ImageUnreadable]()
        for name, data in contents(source):
            if name not in rows:
                continue  # came after the list was made
            missing.discard(name)
            unreadable.pop(name, None)
            try:
                images[rows[name]] = decode(data, size, size)
            except ImageUnreadable as error:
                unreadable[name] = error
        if unreadable:
            shown = "".join(f"\n{name}: {unreadable[name]}" for name in islice(unreadable, SHOWN))
            raise DataError(
                f"{source}: {len(unreadable)} of {len(rows)} images cannot be read; correct or"
                f" remove them:{shown}"
            )
        if missing:
            raise DataError(f"{source} changed while it was read; try again when it is complete")
        images.flush()
        beside.replace(path)
