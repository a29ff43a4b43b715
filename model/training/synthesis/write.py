"""Writing many images of the stream, by several processes, into a folder or a tar file."""

import hashlib
import multiprocessing
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from model.training.errors import DataError
from model.training.synthesis.stream import Stream

CHUNK = 100


@dataclass(frozen=True)
class Settings:
    """All that the stream's images depend on, but for their number."""

    shapes: Path
    labels: tuple[str, ...]
    seed: int
    isnull_share: float

    def stream(self) -> Stream:
        """The stream; raises DataError as it does."""
        return Stream(self.shapes, self.labels, self.seed, self.isnull_share)

    @property
    def key(self) -> str:
        """A short name of these settings."""
        files = sorted(
            (path.name, path.stat().st_size) for path in self.shapes.rglob("*") if path.is_file()
        )
        named = repr((files, self.labels, self.seed, self.isnull_share))
        return hashlib.sha256(named.encode()).hexdigest()[:12]


def write(settings: Settings, out: Path, count: int, processes: int) -> None:
    """Images 0 to `count` as `<number>_<label>.jpg` in `out`: a folder, or a file called *.tar.

    Of a foreign character its name stands between the two, for ``model.training.data.foreign``.
    They grow in a folder beside `out`, from which the next call goes on after an interruption,
    and get their name when all are there. Raises DataError when `out` exists or cannot be
    written, and as Stream does.
    """
    if out.exists():
        raise DataError(f"{out} exists; give another name, or delete it first")
    settings.stream()  # what is wrong with the shapes is told once, not by every process
    partial = out.with_name(f".{out.name}-{settings.key}")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        missing = sorted(set(range(count)) - _kept(partial, count))
        _make(settings, partial, missing, processes)
        if out.suffix == ".tar":
            _pack(partial, out)
        else:
            partial.rename(out)
    except OSError as error:
        raise DataError(f"cannot write {out}: {error}") from error


def _kept(partial: Path, count: int) -> set[int]:
    """The numbers of the images that an interrupted call has left; others are deleted."""
    kept = set()
    for path in partial.iterdir():
        number = path.name.partition("_")[0]
        if number.isdigit() and int(number) < count:
            kept.add(int(number))
        else:
            path.unlink()
    return kept


def _make(settings: Settings, partial: Path, numbers: list[int], processes: int) -> None:
    """Write the images of these numbers and show how far it is."""
    chunks = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    with tqdm(total=len(numbers), desc="drawing", unit="image", disable=None) as bar:
        for written in _written(settings, partial, chunks, processes):
            bar.update(written)


def _written(
    settings: Settings, partial: Path, chunks: list[list[int]], processes: int
) -> Iterator[int]:
    """How many images each chunk had, as soon as they are there."""
    if processes == 1 or len(chunks) <= 1:
        stream = settings.stream()
        yield from (_write(stream, partial, chunk) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (settings,)) as pool:
        try:
            jobs = [pool.submit(_write_here, partial, chunk) for chunk in chunks]
            yield from (job.result() for job in as_completed(jobs))
        finally:
            pool.shutdown(cancel_futures=True)


_here: list[Stream] = []


def _begin(settings: Settings) -> None:
    """Make the stream of this process."""
    _here.append(settings.stream())


def _write_here(partial: Path, numbers: list[int]) -> int:
    return _write(_here[0], partial, numbers)


def _write(stream: Stream, partial: Path, numbers: list[int]) -> int:
    """Each image is written beside its name first: what has a name is whole."""
    for number in numbers:
        made = stream.made(number)
        beside = partial / f".{number}"
        beside.write_bytes(made.jpeg)
        label = stream.labels[made.target]
        name = f"{number}_{made.foreign}_{label}" if made.foreign else f"{number}_{label}"
        beside.replace(partial / f"{name}.jpg")
    return len(numbers)


def _pack(partial: Path, out: Path) -> None:
    """A tar file of the folder, which is then deleted."""
    paths = sorted(partial.iterdir(), key=lambda path: int(path.name.partition("_")[0]))
    beside = out.with_name(f".{out.name}.part")
    try:
        with tarfile.open(beside, "w") as archive:
            for path in paths:
                entry = tarfile.TarInfo(path.name)
                entry.size = path.stat().st_size
                with path.open("rb") as stream:
                    archive.addfile(entry, stream)
        beside.replace(out)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
    for path in paths:
        path.unlink()
    partial.rmdir()
