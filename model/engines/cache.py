"""The cache of compiled members: what an engine made of a graph, for the next process to load.

Compiling takes most of a process's start, and gives the same each time. A folder keeps the results,
by graph, engine, machine and threads; only its owner may write there, for what is in it is run.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from model.errors import EngineUnavailable

logger = logging.getLogger(__name__)

# Of the members of several versions; the longest unused goes first.
_KEPT = 40

_DIGEST_BYTES = hashlib.sha256().digest_size
_WRITABLE_BY_OTHERS = 0o022


class Cache:
    """``folder`` is made where it is missing.

    Raises:
        EngineUnavailable: it cannot be made, or others may write in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except OSError as error:
            raise EngineUnavailable(f"{folder} cannot be a cache: {error}") from error
        if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
            raise EngineUnavailable(f"{folder} cannot be a cache: others may write in it")

    def get(self, *key: str) -> bytes | None:
        """What was put there under these words, whole, or None."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            # Used now: it is not the next to go.
            _note_use(path)
        except OSError:
            return None
        digest, compiled = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(compiled).digest() != digest:
            logger.warning("%s is damaged, compiling anew", path)
            return None
        return compiled

    def put(self, compiled: bytes, *key: str) -> None:
        """Keep it. On a full disk, or one that only can be read, nothing is kept."""
        path = self._path(key)
        # Its own, for others put the same there at the same time.
        scratch = path.with_suffix(f".{secrets.token_hex(8)}")
        try:
            scratch.write_bytes(hashlib.sha256(compiled).digest() + compiled)
            _note_use(scratch)
            scratch.rename(path)
            self._forget()
        except OSError as error:
            logger.warning("nothing is kept in %s: %s", self._folder, error)
            with suppress(OSError):
                scratch.unlink()

    def _path(self, key: tuple[str, ...]) -> Path:
        return self._folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()}.compiled"

    def _forget(self) -> None:
        kept = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in kept[:-_KEPT]:
            path.unlink(missing_ok=True)


def _note_use(path: Path) -> None:
    """By the exact time: that which the kernel notes stands still for milliseconds."""
    now_ns = time.time_ns()
    os.utime(path, ns=(now_ns, now_ns))
