"""A job: much work under one name, what it brings, and how far it is.

What an account has brought is filed under its name, so that the same name of another account's is
another job or upload.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from workers.contract.lanes import Lane


def name_of(id_: str) -> str:
    """What its account calls it."""
    return id_.rpartition("/")[2]


class Read(NamedTuple):
    """So many images were read for an account."""

    account: str
    algorithm: str
    images: int


class State(StrEnum):
    """Of a job; the last four are the end."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_end(self) -> bool:
        """Whether nothing more is done."""
        return self not in {State.QUEUED, State.RUNNING, State.CANCELLING}


@dataclass(frozen=True)
class Input:
    """One of the files that a job brings: ``kind`` says what it is, ``file`` is its name there.

    ``id`` is the caller's, for an image; empty where there is none.
    """

    kind: str
    file: str
    id: str = ""


@dataclass(frozen=True)
class Order:
    """What a caller asks for. ``digest`` tells one order from another under the same id.

    Its id and those of ``uploads`` are filed. The job takes ``uploads`` over, in the same step in
    which it comes into being; ``size`` is that of all inputs, in bytes. ``keeps``: its images stay
    for as long as what was read in them.
    """

    id: str
    digest: str
    algorithm: str
    lane: Lane
    inputs: tuple[Input, ...]
    size: int
    uploads: tuple[str, ...] = ()
    keeps: bool = False


@dataclass(frozen=True)
class Job:
    """What is known at one moment. ``id`` is filed, ``number`` its place in the order of arrival.

    Times are in epoch milliseconds, None for what has not come. ``total`` is None until all inputs
    were looked through; ``left_out`` counts the files in them that are litter. ``problem`` is what
    the caller should know of a job that failed as a whole.
    """

    number: int
    id: str
    algorithm: str
    lane: Lane
    folder: str
    inputs: tuple[Input, ...]
    state: State
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    deadline_ms: int | None
    kept_until_ms: int | None
    total: int | None
    succeeded: int
    failed: int
    left_out: int
    problem: str | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """What a row of the database says."""
        fields: dict[str, Any] = {name: row[name] for name in cls.__dataclass_fields__}
        inputs = tuple(Input(**input_) for input_ in json.loads(row["inputs"]))
        typed = {"inputs": inputs, "state": State(row["state"]), "lane": Lane(row["lane"])}
        return cls(**fields | typed)
