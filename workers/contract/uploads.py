"""Uploads: what is too large for a request comes in parts, in any order and at several tries.

A ticket says how large it will be; its parts are written where they belong in one file. When all
are there and the whole has the digest that it should, a job may take it. What no job has taken
is forgotten after a day.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.files import Files, NoRoom, stored_bytes

# Below what nginx lets through, and enough that a gigabyte has few.
PART_BYTES: Final = 8_000_000

_EXPIRES_AFTER_MS: Final = 86_400_000
_PIECE: Final = 1 << 20


class Incomplete(Exception):
    """Parts are missing; their numbers are the argument."""


class WrongDigest(Exception):
    """The whole is not what its sender has; the argument is its digest."""


@dataclass(frozen=True)
class Upload:
    """``size`` in bytes; ``arrived`` are the numbers of the parts that are there.

    ``sha256``, in hex, is None until the whole was found to be what it should.
    """

    id: str
    size: int
    folder: str
    expires_ms: int
    sha256: str | None
    arrived: frozenset[int]

    @property
    def parts(self) -> list[range]:
        """Which bytes each part has."""
        starts = range(0, self.size, PART_BYTES)
        return [range(start, min(start + PART_BYTES, self.size)) for start in starts]


class Uploads:
    """All of them. Methods raise ``sqlite3.Error`` and ``OSError`` as ``Files`` does."""

    def __init__(self, files: Files, max_bytes: int, clock: Clock = wall_clock_ms) -> None:
        self._files = files
        self._max_bytes = max_bytes
        self._clock = clock

    def begin(self, name: str, size: int) -> Upload:
        """A ticket for so many bytes, which are set aside; the same one for the same name.

        Raises:
            NoRoom: the files of all jobs and uploads would be too large.
        """
        self.forget_expired()
        with self._files.transaction() as database:
            if not database.execute("SELECT 1 FROM upload WHERE id = ?", (name,)).fetchone():
                if stored_bytes(database) + size > self._max_bytes:
                    raise NoRoom
                database.execute(
                    "INSERT INTO upload (id, bytes, folder, expires_ms) VALUES (?, ?, ?, ?)",
                    (name, size, secrets.token_hex(16), self._clock() + _EXPIRES_AFTER_MS),
                )
        upload = self.find(name)
        if upload is None:
            return self.begin(name, size)
        self._files.folder(upload.folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        return upload

    def find(self, name: str) -> Upload | None:
        """The upload of this id, unless a job has taken it or it has expired."""
        with self._files.reading() as database:
            row = database.execute(
                "SELECT * FROM upload WHERE id = ? AND expires_ms > ?", (name, self._clock())
            ).fetchone()
            parts = database.execute("SELECT number FROM part WHERE upload = ?", (name,)).fetchall()
        if row is None:
            return None
        return Upload(
            *(row["id"], row["bytes"], row["folder"], row["expires_ms"], row["sha256"]),
            frozenset(part["number"] for part in parts),
        )

    def file(self, upload: Upload) -> Path:
        """Where its bytes are put, each at its place."""
        return self._files.folder(upload.folder) / "content"

    def arrived(self, upload: Upload, number: int) -> None:
        """A part was written wholly; another look at its digest is due."""
        with self._files.transaction() as database:
            database.execute("INSERT OR IGNORE INTO part VALUES (?, ?)", (upload.id, number))
            database.execute("UPDATE upload SET sha256 = NULL WHERE id = ?", (upload.id,))

    def complete(self, upload: Upload, sha256: str) -> None:
        """All is there, and what it should be.

        Raises:
            Incomplete: it is not.
            WrongDigest: it is something else; its parts may be sent again.
        """
        missing = sorted(set(range(len(upload.parts))) - upload.arrived)
        if missing:
            raise Incomplete(missing)
        digest = hashlib.sha256()
        with self.file(upload).open("rb") as stream:
            os.fsync(stream.fileno())
            while piece := stream.read(_PIECE):
                digest.update(piece)
        if digest.hexdigest() != sha256:
            raise WrongDigest(digest.hexdigest())
        with self._files.transaction() as database:
            database.execute("UPDATE upload SET sha256 = ? WHERE id = ?", (sha256, upload.id))

    def forget(self, upload: Upload) -> None:
        """Remove one."""
        with self._files.transaction() as database:
            _delete(database, upload.id)
        self._files.remove(upload.folder)

    def forget_expired(self) -> None:
        """Remove what no job has taken in time."""
        with self._files.transaction() as database:
            rows = database.execute(
                "SELECT id, folder FROM upload WHERE expires_ms <= ?", (self._clock(),)
            ).fetchall()
            for row in rows:
                _delete(database, row["id"])
        for row in rows:
            self._files.remove(row["folder"])


def _delete(database: sqlite3.Connection, name: str) -> None:
    database.execute("DELETE FROM part WHERE upload = ?", (name,))
    database.execute("DELETE FROM upload WHERE id = ?", (name,))
