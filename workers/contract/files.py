"""Files: the folder that fronts and workers share, for what must outlive Redis or is too large.

In it lie a database and, in folders beside it, what would make that large. SQLite wants all who
write to be on one machine; containers of one machine are.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

# Whoever writes is done within a millisecond; a disk may hold one up.
_PATIENCE_S: Final = 10.0

# Nobody takes so long to bring what it has made a folder for.
_STRAY_AFTER_S: Final = 3_600

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS job (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    lane TEXT NOT NULL,
    folder TEXT NOT NULL,
    inputs TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    deadline_ms INTEGER,
    cancelled_ms INTEGER,
    ended_ms INTEGER,
    kept_until_ms INTEGER,
    total INTEGER,
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    turn_ms INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    ticket TEXT,
    leased_until_ms INTEGER NOT NULL DEFAULT 0,
    keeps INTEGER NOT NULL DEFAULT 0,
    charged INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS job_open ON job (algorithm) WHERE ended_ms IS NULL;
CREATE INDEX IF NOT EXISTS job_kept ON job (kept_until_ms) WHERE kept_until_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS item (
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    input INTEGER NOT NULL,
    id TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    ticket TEXT,
    leased_until_ms INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    succeeded INTEGER,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
    id TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    folder TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    sha256 TEXT
);
CREATE TABLE IF NOT EXISTS part (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS item_open ON item (job, number) WHERE result IS NULL;
CREATE INDEX IF NOT EXISTS item_read ON item (job, digest) WHERE succeeded;
"""

_LATER: Final = (
    "ALTER TABLE job ADD COLUMN keeps INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE job ADD COLUMN charged INTEGER NOT NULL DEFAULT 0",
)


class NoRoom(Exception):
    """What all jobs and uploads bring together has reached its limit."""


def stored_bytes(database: sqlite3.Connection) -> int:
    """What all jobs and uploads bring together."""
    (total,) = database.execute(
        "SELECT (SELECT TOTAL(bytes) FROM job) + (SELECT TOTAL(bytes) FROM upload)"
    ).fetchone()
    return int(total)


class Files:
    """Any thread may use it, in one process: a fork makes its own.

    Methods raise ``sqlite3.Error`` or ``OSError`` when the disk does not do its part.
    """

    def __init__(self, root: Path, *, outlives_power: bool = False) -> None:
        """``outlives_power``: what was written is on the disk, not only with the system."""
        self._root = root
        self._synchronous = "FULL" if outlives_power else "NORMAL"
        self._idle: deque[sqlite3.Connection] = deque()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All within it happens or nothing; one at a time among all processes."""
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection
        finally:
            self._idle.append(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """What was so at one moment each; nobody is waited for."""
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def folder(self, name: str) -> Path:
        """A folder beside the database, whether it is there or not."""
        return self._root / "files" / name

    def remove(self, name: str) -> None:
        """Remove such a folder; whoever still reads in it finds that out."""
        shutil.rmtree(self.folder(name), ignore_errors=True)

    def remove_strays(self) -> None:
        """Remove folders that whoever made them died before naming in the database."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT folder FROM job WHERE ended_ms IS NULL OR keeps"
                " UNION SELECT folder FROM upload"
            ).fetchall()
        named = {row["folder"] for row in rows}
        for folder in self.folder("").glob("*"):
            is_old = time.time() - folder.stat().st_mtime > _STRAY_AFTER_S
            if is_old and folder.name not in named:
                self.remove(folder.name)

    def _connect(self) -> sqlite3.Connection:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(
            self._root / "jobs.sqlite3",
            timeout=_PATIENCE_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        # Readers and a writer do not wait for each other.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.executescript(_SCHEMA)
        # Of a folder that an earlier release has made; another process may be faster.
        for statement in _LATER:
            with suppress(sqlite3.OperationalError):
                connection.execute(statement)
        return connection
