"""Intake: the files of a stranger's bundle on their way into a new folder, checked and counted."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from model.bundle import is_litter
from model.errors import BundleInvalid, printable

MAX_BYTES: Final = 1 << 30  # of all files together, unpacked
MAX_FILES: Final = 1_000
# A file's folders and itself. Every folder costs the disk an inode, and a name has room for many.
MAX_DEPTH: Final = 8
MAX_NAME_BYTES: Final = 255  # of a file or folder; file systems have no more
PIECE: Final = 1 << 18  # bytes in memory at a time


class Intake:
    """Writes file after file below a folder, none of them anywhere else or over another.

    Desktop litter is taken from its source and not written. Nothing but names and contents is
    taken over: files have mode 0644, and lie on the disk when they are written.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        """Errors name the ``source``; the ``folder`` is there, empty and nobody else's."""
        self._source = printable(source)
        self._folder = folder
        self._files = 0
        self._bytes = 0
        self._known: dict[str, tuple[PurePosixPath, Literal["file", "folder"]]] = {}

    def folder(self, name: str) -> None:
        """Check the name of a folder. Only those that files need are made.

        Raises:
            BundleInvalid: the name must not or cannot be written.
        """
        path = self._path(name)
        self._refuse_hidden(path, path.parts)
        for folder in [*reversed(path.parents), path]:
            self._claim(folder, "folder")

    def file(self, name: str, size: int, read: Callable[[int], bytes]) -> None:
        """Write a file of exactly ``size`` bytes.

        Args:
            name: relative, with forward slashes.
            size: bytes, as its source states it.
            read: gives at most as many bytes as asked for, and none at the end.

        Raises:
            BundleInvalid: the name must not or cannot be written, there is too much of something,
                or fewer bytes than stated.
            OSError: the disk does not take it.
        """
        path = self._path(name)
        if not path.parts:
            raise BundleInvalid(f"{self._source}: a file without a name")
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise BundleInvalid(
                f"{self._source} is too large: with {printable(path)} it has more than "
                f"{MAX_BYTES:,} bytes unpacked"
            )
        if is_litter(path.name):
            self._refuse_hidden(path, path.parts[:-1])
            self._pour(path, size, read, lambda _: None)
            return
        self._refuse_hidden(path, path.parts)
        self._files += 1
        if self._files > MAX_FILES:
            raise BundleInvalid(f"{self._source} has more than {MAX_FILES:,} files")
        for folder in reversed(path.parents):
            self._claim(folder, "folder")
        self._claim(path, "file")
        free = shutil.disk_usage(self._folder).free
        if size > free:
            raise BundleInvalid(
                f"{self._source}: the disk is full: {printable(path)} has {size:,} bytes, "
                f"{free:,} are free"
            )
        self._write(path, size, read)

    def _path(self, name: str) -> PurePosixPath:
        path = PurePosixPath(name)
        try:
            longest = max((len(part.encode()) for part in path.parts), default=0)
        except UnicodeEncodeError:
            raise self._refused(name, "is not UTF-8") from None
        if longest > MAX_NAME_BYTES:
            raise self._refused(name, f"has a name of more than {MAX_NAME_BYTES} bytes")
        if "\\" in name or "\0" in name:
            raise self._refused(name, "has a backslash or a NUL in its name")
        if path.is_absolute() or ".." in path.parts:
            raise self._refused(name, "leads out of the bundle")
        if len(path.parts) > MAX_DEPTH:
            raise self._refused(name, f"lies deeper than {MAX_DEPTH} levels")
        return path

    def _refuse_hidden(self, path: PurePosixPath, parts: tuple[str, ...]) -> None:
        if any(part.startswith(".") for part in parts):
            raise self._refused(path, "is hidden")

    def _claim(self, path: PurePosixPath, kind: Literal["file", "folder"]) -> None:
        """A path for one thing, also on disks to which some spellings are the same."""
        key = unicodedata.normalize("NFD", str(path).casefold())
        known = self._known.get(key)
        if known is None:
            self._known[key] = (path, kind)
        elif known[0] != path:
            raise self._refused(path, f"and {printable(known[0])} are one name to some disks")
        elif "file" in (kind, known[1]):
            raise self._refused(path, "comes twice")

    def _refused(self, name: object, why: str) -> BundleInvalid:
        return BundleInvalid(f"{self._source}: {printable(name)} {why}")

    def _write(self, path: PurePosixPath, size: int, read: Callable[[int], bytes]) -> None:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags, 0o644), "wb") as written:
            os.fchmod(written.fileno(), 0o644)  # whatever the umask: workers are other users
            self._pour(path, size, read, written.write)
            written.flush()
            os.fsync(written.fileno())

    def _pour(
        self,
        path: PurePosixPath,
        size: int,
        read: Callable[[int], bytes],
        write: Callable[[bytes], object],
    ) -> None:
        left = size
        while left:
            piece = read(min(left, PIECE))
            if not piece:
                raise self._refused(path, f"ends before its {size:,} bytes")
            write(piece)
            left -= len(piece)
