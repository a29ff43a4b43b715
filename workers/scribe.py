"""The scribe: writes into the logbook, and takes out of it what is over or to be forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Self

from workers.contract.evidence import Batch, Evidence
from workers.contract.logbook import COLUMNS, FILE, image_file, row_of

VERSION: Final = 1
_SCHEMA = Path(__file__).with_name("contract") / "logbook.sql"
_WRITING_MS = 5_000
_REMOVED_AT_ONCE = 2_000

_PERSONAL = ("answer", "confidence", "alternatives", "image_sha256")
_INSERT = f"INSERT INTO evidence ({COLUMNS}) VALUES ({', '.join('?' * len(Evidence._fields))})"  # noqa: S608


class OtherVersion(Exception):
    """The logbook is of another release. The message tells which versions."""


class Scribe:
    """Methods raise ``sqlite3.Error`` or ``OSError`` when the disk takes nothing."""

    def __init__(self, folder: Path) -> None:
        """Open the logbook, or begin one; it is its user's alone.

        Raises:
            OtherVersion: it cannot be continued.
        """
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / FILE
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, timeout=_WRITING_MS / 1000)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def append(self, batches: Iterable[Batch], now_ms: int, *, keeps_images: bool) -> None:
        """Write batches down, all or none of them."""
        with self._db:
            for batch in batches:
                if not self._is_new(batch, now_ms):
                    continue
                numbers = [
                    self._db.execute(_INSERT, row_of(evidence)).lastrowid
                    for evidence in batch.evidence
                ]
                for number, image in batch.images if keeps_images else ():
                    self._keep(batch.evidence[number], numbers[number], image, now_ms)

    def forget(self, uuid: str, now_ms: int) -> int:
        """Delete what was answered to a uuid, and its images; that it was forgotten is kept.

        Returns:
            How many replies were to it.
        """
        # Files first: if this is broken off, it can be repeated.
        images = self._db.execute(
            "SELECT DISTINCT image_sha256 FROM evidence "
            "WHERE uuid = ? AND image_sha256 IS NOT NULL",
            [uuid],
        ).fetchall()
        for (sha256,) in images:
            image_file(self._folder, sha256).unlink(missing_ok=True)
        cleared = ", ".join(f"{column} = NULL" for column in _PERSONAL)
        with self._db:
            self._db.executemany("DELETE FROM images WHERE sha256 = ?", images)
            done = self._db.execute(
                f"UPDATE evidence SET forgotten_ms = ?, {cleared} WHERE uuid = ?",  # noqa: S608
                [now_ms, uuid],
            )
        # The log of changes still has it as it was.
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return done.rowcount

    def remove_older(self, evidence_ms: int, images_ms: int) -> bool:
        """Remove some of what came before these moments; whether there may be more."""
        with closing(
            self._db.execute(
                "SELECT sha256 FROM images WHERE stored_ms < ? LIMIT ?",
                [images_ms, _REMOVED_AT_ONCE],
            )
        ) as found:
            images = found.fetchall()
        for (sha256,) in images:
            image_file(self._folder, sha256).unlink(missing_ok=True)
        with self._db:
            self._db.executemany("DELETE FROM images WHERE sha256 = ?", images)
            removed = self._db.execute(
                "DELETE FROM evidence WHERE id IN "
                "(SELECT id FROM evidence WHERE arrived_ms < ? LIMIT ?)",
                [evidence_ms, _REMOVED_AT_ONCE],
            )
            self._db.execute("DELETE FROM fronts WHERE seen_ms < ?", [evidence_ms])
        return _REMOVED_AT_ONCE in (len(images), removed.rowcount)

    def _prepare(self) -> None:
        # A crash of this process loses nothing that is committed, one of the machine the last
        # moments; what is forgotten is overwritten.
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON"
        )
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA.read_text()}; COMMIT")
        elif version != VERSION:
            raise OtherVersion(
                f"it is of version {version}, and this release writes {VERSION}; "
                "give EVIDENCE another folder"
            )

    def _is_new(self, batch: Batch, now_ms: int) -> bool:
        """Note how far its front is; False when it was written down before."""
        found = self._db.execute("SELECT next FROM fronts WHERE run = ?", [batch.run]).fetchone()
        expected = found[0] if found else 0
        if batch.first < expected:
            return False
        self._db.execute(
            "INSERT INTO fronts VALUES (:run, :now, :next, :missed, :dropped) "
            "ON CONFLICT (run) DO UPDATE SET seen_ms = :now, next = :next, "
            "missed = missed + :missed, dropped = :dropped",
            {
                "run": batch.run,
                "now": now_ms,
                "next": batch.first + len(batch.evidence),
                "missed": batch.first - expected,
                "dropped": batch.dropped,
            },
        )
        return True

    def _keep(self, evidence: Evidence, number: int | None, image: bytes, now_ms: int) -> None:
        if evidence.image_sha256 is None:
            return
        sha256 = bytes.fromhex(evidence.image_sha256)
        # The row is there first: what is not listed would never be removed.
        self._db.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", [sha256, now_ms, number])
        path = image_file(self._folder, sha256)
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}")
            beside.write_bytes(image)
            beside.chmod(0o600)
            beside.replace(path)
