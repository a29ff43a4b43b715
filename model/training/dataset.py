"""Labelled images: a folder or a tar of `<id>_<character>.jpg`, decoded once into one array."""

import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import ImageUnreadable
from model.image import decode
from model.training.errors import DataError

ISNULL = "isnull"
SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Dataset:
    """Images uint8 (n, size, size, 3), their class indexes int32 (n,) and their file names."""

    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: npt.NDArray[np.intp]) -> "Dataset":
        """A copy of these rows."""
        names = tuple(self.names[row] for row in rows)
        return Dataset(self.images[rows], self.targets[rows], names)


def read_labels(path: Path) -> tuple[str, ...]:
    """The label list: one label a line, line number = class index, `isnull` last.

    Raises DataError when the file is missing, empty, repeats a label or does not end in `isnull`.
    """
    try:
        labels = tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the labels {path}: {error}") from error
    if labels[-1:] != (ISNULL,) or labels == (ISNULL,):
        raise DataError(f"{path}: expected one label a line, the last of them {ISNULL!r}")
    if len(set(labels)) != len(labels):
        raise DataError(f"{path}: a label occurs twice")
    return labels


def load(
    source: Path, labels: tuple[str, ...], size: int, cache: Path, label: str | None = None
) -> Dataset:
    """Every image of `source` at size x size pixels, in order of name.

    With `label` all of them are of that class, whatever their names say. The pixels are decoded
    once and kept in `cache` as a memory-mapped array, under a name that changes with the files, so
    that the next run starts at once.
    Raises DataError for a source that is missing or empty, for an image that cannot be read and
    for a name whose label is not in `labels`.
    """
    sizes = dict(sorted(_sizes(source).items()))
    if not sizes:
        raise DataError(f"{source}: no images; expected files named <id>_<label>.jpg")
    indexes = {label: index for index, label in enumerate(labels)}
    targets = np.array([_target(source, name, label, indexes) for name in sizes], np.int32)
    key = hashlib.sha256(repr((str(source.resolve()), size, sizes)).encode()).hexdigest()[:16]
    path = cache / f"{key}-{size}.npy"
    if not path.exists():
        _fill(path, source, {name: row for row, name in enumerate(sizes)}, size)
    try:
        images = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the cache {path}: {error}; delete it and retry") from error
    return Dataset(images, targets, tuple(sizes))


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


def _target(source: Path, name: str, label: str | None, indexes: dict[str, int]) -> int:
    label = label or Path(name).stem.rpartition("_")[2]
    if label not in indexes:
        raise DataError(f"{source}: {name}: the label {label!r} is not in the label list")
    return indexes[label]


def _sizes(source: Path) -> dict[str, int]:
    """Bytes of each image file by name."""
    if source.is_dir():
        with os.scandir(source) as entries:
            return {e.name: e.stat().st_size for e in entries if _is_image(e.name)}
    return {name: len(data) for name, data in _tar(source)}


def _contents(source: Path, names: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        yield from ((name, (source / name).read_bytes()) for name in names)
    else:
        yield from _tar(source)


def _tar(source: Path) -> Iterator[tuple[str, bytes]]:
    if not source.is_file():
        raise DataError(f"{source}: no such folder or tar file")
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                name = Path(member.name).name
                if stream is not None and _is_image(name):
                    yield name, stream.read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"cannot read the tar file {source}: {error}") from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


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
        for name, data in _contents(source, rows):
            try:
                images[rows[name]] = decode(data, size, size)
            except ImageUnreadable as error:
                raise DataError(f"{source}: {name}: {error}") from error
        images.flush()
        beside.replace(path)
