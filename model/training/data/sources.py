"""Where labelled images come from: a folder or tar of `<id>_<label>.jpg`, or the contest's CSV.

Folders within a folder or tar are looked into. Two images are the same when their paths are, and
unchanged when their versions are.
"""

import hashlib
import lzma
import os
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model.bundle import is_litter
from model.training.data import table
from model.training.data.table import IMAGE, WORD
from model.training.errors import DataError

# Of the formats that are decoded.
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
EXPECTED = f"files named <id>_<label>.jpg, or a CSV with the columns {WORD} and {IMAGE}"
# Why a file is left out.
HIDDEN = "hidden, or left behind by a desktop"
NOT_UTF8 = "their names are not UTF-8"
ENDING = f"other endings than {', '.join(SUFFIXES)}"
LINK = "links, or no regular files"
REPLACED = "another of the same path comes after them"


@dataclass(frozen=True)
class Entry:
    """One image: its path in the source, its name, its label, and what changes with its bytes.

    The name is the path without the folders that all images share.
    """

    path: str
    name: str
    label: str
    version: str


@dataclass(frozen=True)
class Listing:
    """The images of a source by path, those of a CSV row by row; how many files are none, and why.

    A folder that is not looked into counts as one file.
    """

    source: Path
    entries: list[Entry]
    left_out: Counter[str]

    def __str__(self) -> str:
        """A line for every cause, for people; empty when nothing was left out."""
        counts = self.left_out.most_common()
        return "\n".join(f"{self.source}: {count} left out: {cause}" for cause, count in counts)


def listed(source: Path) -> Listing:
    """What a source holds; raises DataError when it is missing, without images, or damaged."""
    left_out: Counter[str] = Counter()
    if table.is_table(source):
        entries = [
            Entry(name, name, word, _sha256(data)) for name, word, data in table.rows(source)
        ]
    else:
        versions: dict[str, str] = {}
        for path, version in _versions(source, left_out):
            left_out[REPLACED] += path in versions
            versions[path] = version
        shared = len(os.path.commonpath(map(os.path.dirname, versions))) if versions else 0
        entries = [
            Entry(path, path[shared:].lstrip("/"), label(path), version)
            for path, version in sorted(versions.items())
        ]
    listing = Listing(source, entries, +left_out)
    if not entries:
        raise DataError(f"{source}: no images; expected {EXPECTED}\n{listing}".rstrip())
    return listing


def contents(source: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every image, in any order; of equal paths the last one counts.

    Raises as `listed` does.
    """
    if source.is_dir():
        for path, _ in _folder(source, Counter(), PurePosixPath()):
            yield path, _read(source / path)
    elif table.is_table(source):
        yield from ((name, data) for name, _, data in table.rows(source))
    else:
        yield from _tar(source, Counter())


def label(path: str) -> str:
    """What stands behind the last underscore of the name."""
    return PurePosixPath(path).stem.rpartition("_")[2]


def why_left_out(path: PurePosixPath) -> str | None:
    """Why a file of this path is no image; None when it may be one."""
    if is_litter(path.name) or any(
        part.startswith(".") or part == "__MACOSX" for part in path.parts
    ):
        return HIDDEN
    if path.suffix.lower() not in SUFFIXES:
        return ENDING
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    return None


def _versions(source: Path, left_out: Counter[str]) -> Iterator[tuple[str, str]]:
    if source.is_dir():
        for path, status in _folder(source, left_out, PurePosixPath()):
            # Whoever corrects a file may keep its length and, with cp -p, its time of change, but
            # not the time at which its status changed.
            yield path, f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    else:
        yield from ((path, _sha256(data)) for path, data in _tar(source, left_out))


def _folder(
    source: Path, left_out: Counter[str], within: PurePosixPath
) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(source / within) as found:
            for file in found:
                path = within / file.name
                if file.is_dir(follow_symlinks=False):
                    if file.name.startswith(".") or file.name == "__MACOSX":
                        left_out[HIDDEN] += 1
                    else:
                        yield from _folder(source, left_out, path)
                elif cause := why_left_out(path):
                    left_out[cause] += 1
                elif file.is_file():
                    yield str(path), file.stat()
                else:  # a link to a folder may lead back to this one, a pipe is waited for
                    left_out[LINK] += 1
    except OSError as error:
        raise DataError(f"cannot read the folder {source / within}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _tar(source: Path, left_out: Counter[str]) -> Iterator[tuple[str, bytes]]:
    if not source.is_file():
        raise DataError(f"{source}: no such folder, tar or CSV file")
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                if member.isdir():
                    continue
                path = PurePosixPath(member.name.lstrip("/"))
                stream = archive.extractfile(member) if member.isfile() else None
                if cause := why_left_out(path):
                    left_out[cause] += 1
                elif stream is None:
                    left_out[LINK] += 1
                else:
                    yield str(path), stream.read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"cannot read the tar file {source}: {error}") from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
