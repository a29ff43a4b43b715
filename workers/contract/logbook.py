"""The logbook: all evidence, in an SQLite file that one process writes and others look into."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

from workers.contract.evidence import Evidence

FILE: Final = "evidence.db"
_IMAGES = "images"

_DIGESTS = ("image_sha256", "digest")

COLUMNS: Final = ", ".join(Evidence._fields)

_KEPT_IMAGES = f"""
    SELECT sha256, {COLUMNS} FROM images JOIN evidence ON id = coalesce(
      (SELECT max(later.id) FROM evidence AS first JOIN evidence AS later USING (uuid)
       WHERE first.id = images.evidence
       AND later.image_sha256 = images.sha256 AND later.answer IS NOT NULL),
      images.evidence)
    ORDER BY stored_ms
"""  # noqa: S608


class Losses(NamedTuple):
    """Evidence that is missing: so many the fronts dropped, so many were on their way."""

    dropped: int
    missed: int


class Position(NamedTuple):
    """Where a reply stands among all, of which those of one millisecond have an order too."""

    arrived_ms: int
    number: int


class Found(NamedTuple):
    """A reply that was looked for."""

    position: Position
    evidence: Evidence


class Summary(NamedTuple):
    """What a logbook holds: how many replies since and until when, in how many bytes."""

    replies: int
    since_ms: int | None
    until_ms: int | None
    size_bytes: int
    images: int
    losses: Losses


class Logbook:
    """Looks, and writes nothing. Methods raise ``sqlite3.Error`` when it cannot be read."""

    def __init__(self, folder: Path, timeout_ms: int) -> None:
        """Open it.

        Args:
            folder: where it lies.
            timeout_ms: how long to wait for who has locked it.
        """
        self._folder = folder
        uri = f"file:{quote(str((folder / FILE).absolute()))}?mode=ro"
        self._db = sqlite3.connect(uri, timeout=timeout_ms / 1000, uri=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def of(self, uuid: str, most: int, account: str | None = None) -> list[Evidence]:
        """The latest replies to a uuid, of this account or all, the oldest of them first."""
        return [found.evidence for found in self.search(most, uuid=uuid, account=account)][::-1]

    def search(
        self,
        most: int,
        *,
        uuid: str | None = None,
        answer: str | None = None,
        account: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        before: Position | None = None,
    ) -> Iterator[Found]:
        """Replies to which all of this applies, the latest first; whatever is None says nothing."""
        conditions = {
            "uuid = ?": uuid,
            "answer = ?": answer,
            "account = ?": account,
            "arrived_ms >= ?": since_ms,
            "arrived_ms < ?": until_ms,
        }
        asked = {each: value for each, value in conditions.items() if value is not None}
        place = ["(arrived_ms, id) < (?, ?)"] if before else []
        where = f"WHERE {' AND '.join([*asked, *place])}" if asked or place else ""
        rows = self._db.execute(
            f"SELECT arrived_ms, id, {COLUMNS} FROM evidence {where}"  # noqa: S608
            " ORDER BY arrived_ms DESC, id DESC LIMIT ?",
            [*asked.values(), *(before or ()), most],
        )
        return (Found(Position(*row[:2]), _evidence(row[2:])) for row in rows)

    def kept_images(self) -> Iterator[tuple[Path, Evidence]]:
        """The images that are kept, in the order in which they came, each with its last answer.

        Without one, with the reply that kept it.
        """
        rows = self._db.execute(_KEPT_IMAGES)
        for sha256, *row in rows:
            yield image_file(self._folder, sha256), _evidence(row)

    def summary(self) -> Summary:
        """Count what there is."""
        counts = self._db.execute(
            "SELECT (SELECT count(*) FROM evidence), (SELECT min(arrived_ms) FROM evidence),"
            " (SELECT max(arrived_ms) FROM evidence), (SELECT count(*) FROM images)"
        ).fetchone()
        lost = self._db.execute("SELECT total(dropped), total(missed) FROM fronts").fetchone()
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = self._db.execute("PRAGMA page_size").fetchone()
        replies, since_ms, until_ms, images = counts
        size_bytes = pages * page_bytes
        return Summary(replies, since_ms, until_ms, size_bytes, images, Losses(*map(int, lost)))


def image_file(folder: Path, sha256: bytes) -> Path:
    """Where an image is kept. Nothing that a caller wrote is in its name."""
    name = sha256.hex()
    return folder / _IMAGES / name[:2] / name


def row_of(evidence: Evidence) -> tuple[Any, ...]:
    """As it is stored, in the order of the columns."""
    row: dict[str, Any] = evidence._asdict()
    for name in _DIGESTS:
        row[name] = row[name] and bytes.fromhex(row[name])
    row["alternatives"] = row["alternatives"] and json.dumps(row["alternatives"])
    return tuple(row.values())


def _evidence(stored: Any) -> Evidence:
    row: dict[str, Any] = dict(zip(Evidence._fields, stored, strict=True))
    for name in _DIGESTS:
        row[name] = row[name] and row[name].hex()
    row["alternatives"] = row["alternatives"] and tuple(map(tuple, json.loads(row["alternatives"])))
    return Evidence(**row)
