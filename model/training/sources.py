"""Where labelled images come from: a folder or tar of `<id>_<label>.jpg`, or the contest's CSV."""

import base64
import binascii
import csv
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.training.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")
WORD, IMAGE = "word", "image_64_encoded"
EXPECTED = f"files named <id>_<label>.jpg, or a CSV with the columns {WORD} and {IMAGE}"
# Base64 of the largest image that the front accepts is 8 MB.
LARGEST_FIELD = 16_000_000


@dataclass(frozen=True)
class Entry:
    """One image file: its name, the label that came with it, its length in bytes."""

    name: str
    label: str
    length: int


def entries(source: Path) -> list[Entry]:
    """Every image of the source: those of a folder or tar by name, those of a CSV row by row.

    An image of a CSV is called `row-<number>_<word>`, with the number that a spreadsheet shows:
    the header is row 1. Raises DataError for a source that is missing, empty or damaged.
    """
    if source.is_dir():
        found = sorted(_folder(source), key=lambda entry: entry.name)
    elif _is_csv(source):
        found = [Entry(name, word, len(data)) for name, word, data in _csv(source)]
    else:
        sizes = {name: len(data) for name, data in _tar(source)}
        found = [Entry(name, _label(name), size) for name, size in sorted(sizes.items())]
    if not found:
        raise DataError(f"{source}: no images; expected {EXPECTED}")
    return found


def contents(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every image of the source, in any order; raises as `entries` does."""
    if source.is_dir():
        for entry in _folder(source):
            yield entry.name, _read(source / entry.name)
    elif _is_csv(source):
        yield from ((name, data) for name, _, data in _csv(source))
    else:
        yield from _tar(source)


def _folder(source: Path) -> Iterator[Entry]:
    try:
        with os.scandir(source) as found:
            for file in found:
                if _is_image(file.name):
                    yield Entry(file.name, _label(file.name), file.stat().st_size)
    except OSError as error:
        raise DataError(f"cannot read the folder {source}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _tar(source: Path) -> Iterator[tuple[str, bytes]]:
    if not source.is_file():
        raise DataError(f"{source}: no such folder, tar or CSV file")
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                name = Path(member.name).name
                if stream is not None and _is_image(name):
                    yield name, stream.read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"cannot read the tar file {source}: {error}") from error


def _csv(source: Path) -> Iterator[tuple[str, str, bytes]]:
    """Name, word and image of every row."""
    csv.field_size_limit(LARGEST_FIELD)
    row = 1
    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := {WORD, IMAGE} - set(reader.fieldnames or ()):
                raise DataError(
                    f"{source}: no column {' and no column '.join(sorted(missing))}; expected the "
                    f"columns {WORD} and {IMAGE}, separated by commas, in the first row"
                )
            for row, fields in enumerate(reader, start=2):
                word = (fields[WORD] or "").strip()
                yield f"row-{row}_{word}", word, _image(source, row, fields[IMAGE])
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: not UTF-8 somewhere after row {row}; save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(f"{source}: after row {row}: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {source}: {error}") from error


def _image(source: Path, row: int, text: str | None) -> bytes:
    """The bytes behind the base64 of a row; line breaks in it are usual and harmless."""
    try:
        data = base64.b64decode("".join((text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"{source}: row {row}: {IMAGE} is not base64 ({error}); correct or remove the row"
        ) from error
    if not data:
        raise DataError(f"{source}: row {row}: {IMAGE} is empty; fill or remove the row")
    return data


def _label(name: str) -> str:
    return Path(name).stem.rpartition("_")[2]


def _is_csv(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".csv"


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)
