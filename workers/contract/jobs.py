"""Jobs: all that were ordered, which outlive every process and Redis.

A job is queued until the first of its items is begun, running until each of them has its result,
and then succeeded; failed without a single answer; or cancelled or expired before its end. What is
known of it lies in ``Files``; its items are in items.py.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from workers.contract.account import filed
from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.files import Files, NoRoom, stored_bytes
from workers.contract.job import Job, Order, Read, State
from workers.contract.lanes import LANES

# Whoever has an item in hand stores it within this, or in vain.
_CANCELLED_WITHIN_MS: Final = 1_000

# So many rows go in one transaction when a job is forgotten: others wait for no more than that.
_FORGET_AT_ONCE: Final = 2_000

# Of those that are open, so many are looked at: whoever has had no turn for the longest.
_LOOK_AT: Final = 50

# Those of accounts, of which more was read than was charged.
_UNCHARGED: Final = (
    "SELECT number, id, algorithm, succeeded, charged FROM job"
    " WHERE succeeded > charged AND instr(id, '/')"
)


class Conflict(Exception):
    """Another job has this id."""


class UploadGone(Exception):
    """An upload that the order names is none any more; its id is the argument."""


class Jobs:
    """All jobs of a service. Methods raise ``sqlite3.Error`` and ``OSError`` as ``Files`` does."""

    def __init__(
        self, files: Files, keep_for_ms: int, max_bytes: int, clock: Clock = wall_clock_ms
    ) -> None:
        self._files = files
        self._keep_for_ms = keep_for_ms
        self._max_bytes = max_bytes
        self._clock = clock

    def create(self, order: Order, bring: Callable[[Path], None]) -> Job:
        """The job of this order, which is made if there is none.

        Args:
            order: what is to be done.
            bring: puts the inputs into a folder that is there.

        Raises:
            Conflict: the id belongs to another order.
            NoRoom: the files of all jobs would be too large.
            UploadGone: another job has taken an upload.
        """
        while (job := self._same(order)) is None:
            self._make(order, bring)
        return job

    def find(self, name: str) -> Job | None:
        """The job of this id, unless it is forgotten."""
        with self._files.reading() as database:
            row = database.execute(
                "SELECT * FROM job WHERE id = ? AND (kept_until_ms IS NULL OR kept_until_ms > ?)",
                (name, self._clock()),
            ).fetchone()
        if row is None:
            return None
        if self._is_due(row):
            self.settle(row["number"])
            return self.find(name)
        return Job.of(row)

    def page(self, account: str, before: int, count: int) -> list[Job]:
        """The latest jobs of an account first; of those that came before the one of this number."""
        with self._files.reading() as database:
            rows = database.execute(
                "SELECT id FROM job WHERE number < ? AND substr(id, 1, instr(id, '/')) = ?"
                " ORDER BY number DESC LIMIT ?",
                (before, filed(account, ""), count),
            ).fetchall()
        return [job for row in rows if (job := self.find(row["id"])) is not None]

    def cancel(self, name: str) -> Job | None:
        """The job, which ends in a moment, unless it has."""
        if self.find(name) is None:
            return None
        with self._files.transaction() as database:
            database.execute(
                "UPDATE job SET state = ?, cancelled_ms = ? WHERE id = ? AND state IN (?, ?)",
                (State.CANCELLING, self._clock(), name, State.QUEUED, State.RUNNING),
            )
        return self.find(name)

    def due(self, algorithm: str) -> list[Job]:
        """What there is to do for this algorithm: who had the last turn comes last."""
        with self._files.reading() as database:
            rows = database.execute(
                "SELECT * FROM job WHERE algorithm = ? AND ended_ms IS NULL"
                " ORDER BY turn_ms LIMIT ?",
                (algorithm, _LOOK_AT),
            ).fetchall()
        for row in filter(self._is_due, rows):
            self.settle(row["number"])
        return [Job.of(row) for row in rows if row["state"] in {State.QUEUED, State.RUNNING}]

    def settle(self, number: int) -> None:
        """End a job whose time has come: cancelled, out of time, or done."""
        with self._files.transaction() as database:
            row = database.execute("SELECT * FROM job WHERE number = ?", (number,)).fetchone()
            if row is None or row["ended_ms"] is not None or not self._is_due(row):
                return
            if row["state"] == State.CANCELLING:
                state = State.CANCELLED
            elif row["total"] == row["succeeded"] + row["failed"]:
                state = State.SUCCEEDED if row["succeeded"] else State.FAILED
            else:
                state = State.EXPIRED
            self._end(database, number, state, row["problem"])
        if not row["keeps"]:
            # Nobody reads an image of it any more.
            self._files.remove(row["folder"])

    def fail(self, job: Job, problem: str) -> None:
        """End a job that cannot be done; what was read of it stays."""
        with self._files.transaction() as database:
            self._end(database, job.number, State.FAILED, problem)
        self._files.remove(job.folder)

    def charge(self) -> list[Read]:
        """What was read for accounts since this was asked last, by whomever."""
        with self._files.reading() as database:
            if not database.execute(_UNCHARGED).fetchone():
                return []
        with self._files.transaction() as database:
            rows = database.execute(_UNCHARGED).fetchall()
            database.executemany(
                "UPDATE job SET charged = ? WHERE number = ?",
                [(row["succeeded"], row["number"]) for row in rows],
            )
        return [
            Read(row["id"].partition("/")[0], row["algorithm"], row["succeeded"] - row["charged"])
            for row in rows
        ]

    def forget(self) -> None:
        """Remove what was kept for long enough."""
        with self._files.reading() as database:
            rows = database.execute(
                "SELECT number, folder FROM job WHERE kept_until_ms <= ?", (self._clock(),)
            ).fetchall()
        self._files.remove_strays()
        for number, folder in rows:
            while True:
                with self._files.transaction() as database:
                    gone = database.execute(
                        "DELETE FROM item WHERE job = ?1 AND number IN"
                        " (SELECT number FROM item WHERE job = ?1 LIMIT ?2)",
                        (number, _FORGET_AT_ONCE),
                    ).rowcount
                    if not gone:
                        database.execute("DELETE FROM job WHERE number = ?", (number,))
                        break
            self._files.remove(folder)

    def _same(self, order: Order) -> Job | None:
        with self._files.reading() as database:
            row = database.execute("SELECT digest FROM job WHERE id = ?", (order.id,)).fetchone()
        if row is None:
            return None
        job = self.find(order.id)
        if job is None:
            # It is to be forgotten, and its id is free.
            self.forget()
        elif row["digest"] != order.digest:
            raise Conflict(order.id)
        return job

    def _make(self, order: Order, bring: Callable[[Path], None]) -> None:
        name = secrets.token_hex(16)
        folder = self._files.folder(name)
        try:
            folder.mkdir(parents=True, mode=0o700)
            bring(folder)
            for file in folder.iterdir():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
            with self._files.transaction() as database:
                for upload in order.uploads:
                    database.execute("DELETE FROM part WHERE upload = ?", (upload,))
                    if not database.execute("DELETE FROM upload WHERE id = ?", (upload,)).rowcount:
                        raise UploadGone(upload)
                if stored_bytes(database) + order.size > self._max_bytes:
                    raise NoRoom
                self._insert(database, order, name)
        except BaseException as error:
            self._files.remove(name)
            # Of two who bring the same job at once, one finds that of the other.
            if not isinstance(error, sqlite3.IntegrityError):
                raise

    def _insert(self, database: sqlite3.Connection, order: Order, folder: str) -> None:
        now_ms = self._clock()
        within_ms = LANES[order.lane].within_ms
        database.execute(
            "INSERT INTO job (id, digest, algorithm, lane, folder, inputs, bytes, keeps, state,"
            " created_ms, deadline_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(order.id, order.digest, order.algorithm, order.lane, folder),
                json.dumps([vars(input_) for input_ in order.inputs]),
                *(order.size, order.keeps, State.QUEUED, now_ms),
                None if within_ms is None else now_ms + within_ms,
            ),
        )

    def _end(
        self, database: sqlite3.Connection, number: int, state: State, problem: str | None
    ) -> None:
        now_ms = self._clock()
        database.execute(
            "UPDATE job SET state = ?, problem = ?, ended_ms = ?, kept_until_ms = ?,"
            " bytes = bytes * keeps"
            " WHERE number = ? AND ended_ms IS NULL",
            (state, problem, now_ms, now_ms + self._keep_for_ms, number),
        )

    def _is_due(self, row: sqlite3.Row) -> bool:
        """Whether an open job has reached its end."""
        if row["ended_ms"] is not None:
            return False
        now_ms = self._clock()
        if row["state"] == State.CANCELLING:
            return bool(now_ms >= row["cancelled_ms"] + _CANCELLED_WITHIN_MS)
        is_done = row["total"] == row["succeeded"] + row["failed"]
        return is_done or bool(row["deadline_ms"] is not None and now_ms >= row["deadline_ms"])
