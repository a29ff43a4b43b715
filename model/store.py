"""The store: a folder in which versions of bundles lie, and the safe way into it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from model.archive import unpack
from model.bundle import Bundle, raise_it
from model.errors import BundleInvalid, printable
from model.intake import Intake
from model.manifest import NAME, VERSION

_ID: Final = re.compile(f"({NAME})/({VERSION})")
_LOCK: Final = ".lock"
_SCRATCH: Final = ".scratch-"  # before the name of a folder that a writer works in


class Store:
    """Bundles by id; each lies in ``<folder>/<name>/<version>``, whole and verified.

    Writers take turns, also those of other processes. Readers need not wait: a version appears and
    goes in one step.
    """

    def __init__(self, folder: Path) -> None:
        """The folder is made when the first bundle is added."""
        self._folder = folder.absolute()

    def add(self, source: Path, prove: Callable[[Bundle], None]) -> Bundle:
        """Put a bundle into the store, or leave the store as it is.

        What is stored already, with the same content, is found and not proven again.

        Args:
            source: a bundle's folder, or an archive of one as in ``model.archive``.
            prove: is shown the verified bundle before it is in place; what it raises stops that.

        Raises:
            BundleInvalid: the source is no sound bundle, does not fit on the disk, or another
                content is stored under its id. The message is one line.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._turn() as scratch:
                return self._put(_brought(source, scratch), source, prove)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = f"the disk of {printable(self._folder)} is full" if full else error
            raise BundleInvalid(f"{printable(source)} cannot be stored: {why}") from error

    def open(self, bundle_id: str) -> Bundle:
        """Verify and open a stored bundle.

        Raises:
            BundleInvalid: no such bundle is stored, or it was altered.
        """
        folder = self._stored(bundle_id)
        bundle = Bundle.open(folder)
        if bundle.id != bundle_id:
            raise BundleInvalid(f"{printable(folder)} is of another bundle, {bundle.id}")
        return bundle

    def ids(self, name: str | None = None) -> list[str]:
        """What is stored, of one name or of all, the oldest addition first."""
        found = [bundle_id for _, bundle_id in sorted(self._additions())]
        return [one for one in found if name is None or one.startswith(f"{name}/")]

    def remove(self, bundle_id: str) -> None:
        """Take a bundle out of the store. Who has it open may find its files gone.

        Raises:
            BundleInvalid: no such bundle is stored.
            OSError: the store cannot be written.
        """
        self._stored(bundle_id)
        with self._turn() as scratch:
            folder = self._stored(bundle_id)
            folder.rename(scratch / "removed")
            _flush(folder.parent)

    def _put(self, folder: Path, source: Path, prove: Callable[[Bundle], None]) -> Bundle:
        bundle = Bundle.open(folder, known_as=source)
        place = self._place(bundle.id)
        if place.exists():
            stored = self.open(bundle.id)
            if stored.digest != bundle.digest:
                raise BundleInvalid(
                    f"{printable(source)}: {bundle.id} is stored with another content; "
                    "raise the version"
                )
            return stored
        try:
            prove(bundle)
        except BundleInvalid as error:
            line = printable(" ".join(str(error).split()))  # engines tell theirs in many
            raise BundleInvalid(f"{printable(source)}: {line}") from error
        # The order of additions, whatever the clock did meanwhile.
        latest = max((moment for moment, _ in self._additions()), default=0)
        moment = max(time.time_ns(), latest + 1)
        os.utime(folder, ns=(moment, moment))
        _settle(folder)
        place.parent.mkdir(exist_ok=True)
        place.parent.chmod(0o755)
        folder.rename(place)
        try:
            _flush(place.parent)
            _flush(self._folder)
        except OSError:
            place.rename(folder)
            raise
        return replace(bundle, folder=place.resolve())

    def _place(self, bundle_id: str) -> Path:
        return self._folder.joinpath(*_names(bundle_id))

    def _stored(self, bundle_id: str) -> Path:
        place = self._place(bundle_id)
        if not place.is_dir():
            raise BundleInvalid(f"{printable(self._folder)} holds no {bundle_id}")
        return place

    def _additions(self) -> Iterator[tuple[int, str]]:
        """When each bundle was added, in nanoseconds, and its id."""
        for name in _listed(self._folder):
            for version in _listed(self._folder / name):
                found = f"{name}/{version}"
                if _ID.fullmatch(found):
                    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                        status = (self._folder / found).lstat()
                        if stat.S_ISDIR(status.st_mode):
                            yield status.st_mtime_ns, found

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Path]:
        """A scratch folder on the store's disk, for one writer at a time."""
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                self._sweep()  # what writers that were killed left behind
                yield Path(tempfile.mkdtemp(dir=self._folder, prefix=_SCRATCH))
            finally:
                self._sweep()
                # Closing would not do: who was forked meanwhile has the file open, too.
                fcntl.flock(lock, fcntl.LOCK_UN)
        finally:
            os.close(lock)

    def _sweep(self) -> None:
        """Remove scratch folders, and names without a version."""
        for name in _listed(self._folder):
            if name.startswith(_SCRATCH):
                shutil.rmtree(self._folder / name, ignore_errors=True)
            elif re.fullmatch(NAME, name):
                with contextlib.suppress(OSError):
                    (self._folder / name).rmdir()


def _names(bundle_id: str) -> tuple[str, str]:
    """Name and version. No other id than a valid one becomes a path."""
    match = _ID.fullmatch(bundle_id)
    if not match:
        raise BundleInvalid(f"{printable(bundle_id)} is no id of a bundle, NAME/VERSION")
    return match[1], match[2]


def _listed(folder: Path) -> list[str]:
    """The names in a folder; none where none is, or no longer."""
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _brought(source: Path, scratch: Path) -> Path:
    """The root of a copy of the source, in a folder of its own."""
    folder = scratch / "bundle"
    folder.mkdir()
    if source.is_dir():
        _copy(source, folder)
        return folder
    return unpack(source, folder)


def _copy(source: Path, folder: Path) -> None:
    intake = Intake(source, folder)
    root = source.resolve()  # links may lead to the bundle, not on from there
    for path, folders, files, descriptor in os.fwalk(root, onerror=raise_it):
        below = Path(path).relative_to(root)
        for name in folders + files:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                intake.folder(f"{below}/{name}")
            elif stat.S_ISREG(status.st_mode):
                opened = os.open(name, os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
                with os.fdopen(opened, "rb") as stream:
                    intake.file(f"{below}/{name}", status.st_size, stream.read)
            else:
                shown = printable(below / name)
                what = "a link" if stat.S_ISLNK(status.st_mode) else "neither a file nor a folder"
                raise BundleInvalid(f"{printable(source)}: {shown} is {what}")


def _settle(folder: Path) -> None:
    """Let any user read the folders, and a power cut find them."""
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)  # whatever the umask
        _flush(Path(path))


def _flush(folder: Path) -> None:
    """Write to the disk what a folder lists."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
