"""Contents: what a job brings becomes items, by one worker at a time.

Where that one leaves off, another goes on: what was taken in stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.files import Files
from workers.contract.items import compact, images_of, lease_ms
from workers.contract.job import Job, State


class TooOften(Exception):
    """A job took too many workers with it before its items were known."""


@dataclass(frozen=True)
class Found:
    """An image on its way into a job, or in the place of its bytes what is wrong with it."""

    input: int
    id: str
    digest: str
    data: bytes
    problem: Mapping[str, Any] | None = None


class Contents:
    """Those of all jobs. ``limit_ms``: how long a task may take."""

    def __init__(
        self, files: Files, limit_ms: int, max_attempts: int, clock: Clock = wall_clock_ms
    ) -> None:
        self._files = files
        self._lease_ms = lease_ms(limit_ms)
        self._max_attempts = max_attempts
        self._clock = clock

    def begin(self, job: Job, ticket: str) -> int | None:
        """How many items are there already; None when somebody else is at it, or it is done.

        Raises:
            TooOften: as many workers as may have died of it.
        """
        now_ms = self._clock()
        with self._files.transaction() as database:
            row = database.execute(
                "SELECT attempts FROM job WHERE number = ? AND total IS NULL AND state IN (?, ?)"
                " AND leased_until_ms <= ?",
                (job.number, State.QUEUED, State.RUNNING, now_ms),
            ).fetchone()
            if row is None:
                return None
            if row["attempts"] >= self._max_attempts:
                raise TooOften
            database.execute(
                "UPDATE job SET attempts = attempts + 1, ticket = ?, leased_until_ms = ?,"
                " turn_ms = ? WHERE number = ?",
                (ticket, now_ms + self._lease_ms, now_ms, job.number),
            )
            count, end = database.execute(
                "SELECT COUNT(*), COALESCE(MAX(at + size), 0) FROM item WHERE job = ?",
                (job.number,),
            ).fetchone()
        # What was written and not counted.
        with images_of(self._files, job).open("ab") as stream:
            stream.truncate(end)
        return int(count)

    def go_on(self, job: Job, before: str, ticket: str) -> bool:
        """Whoever began under another ticket goes on; False when it is another's, or not wanted."""
        now_ms = self._clock()
        with self._files.transaction() as database:
            return bool(
                database.execute(
                    "UPDATE job SET ticket = ?, leased_until_ms = ?, turn_ms = ?, attempts = 1"
                    " WHERE number = ? AND ticket = ? AND total IS NULL AND state IN (?, ?)",
                    (
                        *(ticket, now_ms + self._lease_ms, now_ms, job.number, before),
                        *(State.QUEUED, State.RUNNING),
                    ),
                ).rowcount
            )

    def add(self, job: Job, first: int, found: Sequence[Found], left_out: int) -> bool:
        """Take images in, as items from number ``first`` on; False when the job has ended."""
        with images_of(self._files, job).open("ab") as stream:
            at = stream.tell()
            places = []
            for each in found:
                places.append(at)
                at += stream.write(each.data)
        with self._files.transaction() as database:
            changed = database.execute(
                "UPDATE job SET failed = failed + ?, left_out = left_out + ?"
                " WHERE number = ? AND ended_ms IS NULL",
                (sum(each.problem is not None for each in found), left_out, job.number),
            ).rowcount
            if not changed:
                return False
            database.executemany(
                "INSERT INTO item (job, number, input, id, digest, at, size, result, succeeded)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(job.number, number, each.input, each.id, each.digest, place),
                        len(each.data),
                        each.problem and compact({"error": each.problem}),
                        None if each.problem is None else 0,
                    )
                    for number, (each, place) in enumerate(zip(found, places, strict=True), first)
                ),
            )
        return True

    def end(self, job: Job, total: int) -> None:
        """There is nothing left: the inputs are not needed any more."""
        with self._files.transaction() as database:
            database.execute(
                "UPDATE job SET total = ?2, leased_until_ms = 0,"
                " bytes = (SELECT TOTAL(size) FROM item WHERE job = ?1)"
                " WHERE number = ?1 AND ended_ms IS NULL",
                (job.number, total),
            )
        for input_ in job.inputs:
            (self._files.folder(job.folder) / input_.file).unlink(missing_ok=True)
