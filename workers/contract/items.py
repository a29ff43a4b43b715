"""Items: the images of a job, each with one result in the end.

Whoever reads one has claimed it, for as long as a task may take. Should it die meanwhile, the next
one takes the item over when that time is over. The first result of an item stands.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.files import Files
from workers.contract.job import Job, State

# Behind a time-out of the task, which ends the process: by then nobody is at it.
_LEASE_RESERVE_MS: Final = 2_000

# Rows that are fetched at a time; each may be told while the next are not there yet.
_PAGE: Final = 500

GIVEN_UP: Final = {
    "type": "urn:punctual:problem:engine-failed",
    "title": "The image could not be computed",
    "status": 500,
    "detail": "Every try failed, or its worker died, or it took too much time or memory. Check "
    "the image.",
}

_GIVE_BACK: Final = (
    "UPDATE item SET leased_until_ms = 0, attempts = MAX(attempts, ?)"
    " WHERE ticket = ? AND leased_until_ms > 0",
    "UPDATE job SET leased_until_ms = 0, attempts = MAX(attempts, ?)"
    " WHERE ticket = ? AND leased_until_ms > 0",
)


@dataclass(frozen=True)
class Item:
    """One image that was claimed under a ticket: its digest, and where its bytes lie."""

    job: int
    number: int
    id: str
    digest: str
    ticket: str
    path: Path
    at: int
    size: int

    def image(self) -> bytes:
        """The file.

        Raises:
            OSError: the job has ended, and its images are gone.
        """
        with self.path.open("rb") as stream:
            stream.seek(self.at)
            return stream.read(self.size)


class Told(NamedTuple):
    """What came of one image, as a line of JSON; ``item`` has the image, while that is there."""

    line: str
    item: Item


class Items:
    """Those of all jobs. ``limit_ms``: how long a task may take."""

    def __init__(
        self,
        files: Files,
        limit_ms: int = 0,
        max_attempts: int = 0,
        clock: Clock = wall_clock_ms,
    ) -> None:
        self._files = files
        self._lease_ms = lease_ms(limit_ms)
        self._max_attempts = max_attempts
        self._clock = clock

    def claim(self, job: Job, ticket: str) -> Item | None:
        """The next item that nobody has in hand; None when there is none, or the job is to end.

        One that has taken as many workers with it as may be has its result by that.
        """
        now_ms = self._clock()
        with self._files.transaction() as database:
            while True:
                row = database.execute(
                    "SELECT item.* FROM item JOIN job ON job.number = item.job"
                    " WHERE item.job = ? AND item.result IS NULL AND item.leased_until_ms <= ?"
                    " AND job.state IN (?, ?) ORDER BY item.number LIMIT 1",
                    (job.number, now_ms, State.QUEUED, State.RUNNING),
                ).fetchone()
                if row is None:
                    return None
                if row["attempts"] < self._max_attempts:
                    break
                self._store(database, job.number, row["number"], {"error": GIVEN_UP})
            database.execute(
                "UPDATE item SET attempts = attempts + 1, ticket = ?, leased_until_ms = ?"
                " WHERE job = ? AND number = ?",
                (ticket, now_ms + self._lease_ms, job.number, row["number"]),
            )
            database.execute(
                "UPDATE job SET state = ?, started_ms = COALESCE(started_ms, ?), turn_ms = ?"
                " WHERE number = ?",
                (State.RUNNING, now_ms, now_ms, job.number),
            )
        return self._item(job, row, ticket)

    def renew(self, item: Item, ticket: str) -> bool:
        """Go on with an item in hand; False when it is not wanted, or another one's by now."""
        with self._files.transaction() as database:
            return bool(
                database.execute(
                    "UPDATE item SET ticket = ?, leased_until_ms = ? WHERE job = ? AND number = ?"
                    " AND ticket = ? AND result IS NULL AND (SELECT state FROM job"
                    " WHERE job.number = item.job) = ?",
                    (
                        *(ticket, self._clock() + self._lease_ms, item.job, item.number),
                        *(item.ticket, State.RUNNING),
                    ),
                ).rowcount
            )

    def finish(self, item: Item, result: Mapping[str, Any]) -> None:
        """Store what came of it, unless somebody did, or the job has ended."""
        with self._files.transaction() as database:
            self._store(database, item.job, item.number, result)

    def give_back(self, ticket: str, *, for_good: bool = False) -> None:
        """Whoever worked under this ticket does not go on; its tries stay counted.

        ``for_good``: what it had in hand was too much for one worker, and is not to cost another.
        """
        with self._files.transaction() as database:
            items = database.execute(
                "SELECT job, number FROM item WHERE ticket = ? AND result IS NULL", (ticket,)
            ).fetchall()
            for row in items:
                if for_good:
                    self._store(database, row["job"], row["number"], {"error": GIVEN_UP})
            attempts = self._max_attempts if for_good else 0
            for statement in _GIVE_BACK:
                database.execute(statement, (attempts, ticket))

    def known(self, item: Item) -> Mapping[str, Any] | None:
        """What was read in another item of the job with the same bytes."""
        with self._files.reading() as database:
            row = database.execute(
                "SELECT result FROM item WHERE job = ? AND digest = ? AND succeeded LIMIT 1",
                (item.job, item.digest),
            ).fetchone()
        return None if row is None else json.loads(row["result"])

    def results(self, job: Job) -> Iterator[str]:
        """A line of JSON for every item that has a result, in their order.

        Of a job that has ended, one for every item that was found.
        """
        missing = compact({"error": _not_read(job.state)}) if job.state.is_end else None
        last = -1
        while True:
            with self._files.reading() as database:
                rows = database.execute(
                    "SELECT number, input, id, result FROM item WHERE job = ? AND number > ?"
                    " ORDER BY number LIMIT ?",
                    (job.number, last, _PAGE),
                ).fetchall()
            if not rows:
                return
            last = rows[-1]["number"]
            lines = ""
            for row in rows:
                if result := row["result"] or missing:
                    lines += _line(row, result)
            yield lines

    def told(self, job: Job, number: int) -> Told | None:
        """One of these lines; None where there is none, or not yet."""
        missing = compact({"error": _not_read(job.state)}) if job.state.is_end else None
        with self._files.reading() as database:
            row = database.execute(
                "SELECT * FROM item WHERE job = ? AND number = ?", (job.number, number)
            ).fetchone()
        result = row and (row["result"] or missing)
        if not result:
            return None
        return Told(_line(row, result), self._item(job, row, ticket=""))

    def _item(self, job: Job, row: sqlite3.Row, ticket: str) -> Item:
        return Item(
            *(job.number, row["number"], row["id"], row["digest"], ticket),
            *(images_of(self._files, job), row["at"], row["size"]),
        )

    def _store(
        self, database: sqlite3.Connection, job: int, number: int, result: Mapping[str, Any]
    ) -> None:
        """Within a transaction: one result, counted once."""
        succeeded = "error" not in result
        is_first = database.execute(
            "UPDATE job SET succeeded = succeeded + ?, failed = failed + ? WHERE number = ?"
            " AND ended_ms IS NULL AND EXISTS (SELECT 1 FROM item WHERE item.job = job.number"
            " AND item.number = ? AND item.result IS NULL)",
            (int(succeeded), int(not succeeded), job, number),
        ).rowcount
        if is_first:
            database.execute(
                "UPDATE item SET result = ?, succeeded = ? WHERE job = ? AND number = ?",
                (compact(result), int(succeeded), job, number),
            )


def lease_ms(limit_ms: int) -> int:
    """How long somebody may be at something, when a task may take ``limit_ms``."""
    return limit_ms + _LEASE_RESERVE_MS


def images_of(files: Files, job: Job) -> Path:
    """The file in which the images of a job lie, one behind the other."""
    return files.folder(job.folder) / "images"


def compact(value: Mapping[str, Any]) -> str:
    """JSON in as few bytes as there can be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _line(row: sqlite3.Row, result: str) -> str:
    head = {"item": row["number"], "id": row["id"], "input": row["input"]}
    return f"{compact(head)[:-1]},{result[1:]}\n"


def _not_read(state: State) -> dict[str, Any]:
    return {
        "type": "urn:punctual:problem:not-read",
        "title": "This image was not read",
        "status": 410,
        "detail": f"The job was {state} before it was this image's turn. Send it in another job.",
    }
