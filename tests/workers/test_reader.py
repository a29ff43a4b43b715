"""The reader: what becomes of one message, with an ensemble that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from redis import RedisError

from model.ensemble import Reading
from workers.contract.ledger import Permission, Turn
from workers.contract.result import Outcome, Result
from workers.reader import Reader
from workers.scheduler import Pace, Scheduler

MEMBERS, NOW_MS = 5, 1_700_000_000_000


class Ledger:
    """Gives that turn and notes what is stored."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.stored: list[Result] = []
        self.away = False

    def start(self, *_: Any) -> Turn:
        return self.turn

    def waiting(self) -> int:
        if self.away:
            raise RedisError("Redis is away")
        return 0

    def finish(self, _uuid: str, _ticket: str, result: Result) -> None:
        self.stored.append(result)


def five_members(_: bytes) -> Iterator[Reading]:
    for asked in range(1, MEMBERS + 1):
        yield Reading("德", 0.9, asked, asked == MEMBERS)


def read(ledger: Ledger, readings: Callable[[bytes], Iterator[Reading]] = five_members) -> Any:
    ensemble: Any = SimpleNamespace(
        readings=readings, size=MEMBERS, bundle=SimpleNamespace(id="handwriting/1")
    )
    heartbeat: Any = SimpleNamespace(holding=lambda *_: nullcontext())
    pace = Pace(1_000)
    parts: Any = (ledger, None, heartbeat, Scheduler(pace, lambda: NOW_MS), pace, lambda: NOW_MS)
    return Reader(ensemble, *parts).read("a-uuid", "a ticket")


def turn(permission: Permission, answer_in_ms: int = 900) -> Turn:
    return Turn(permission, b"image", answer_by_ms=NOW_MS + answer_in_ms)


@pytest.mark.parametrize("permission", [Permission.RUN, Permission.COMPLETE])
def test_what_may_be_read_is_read_whole(permission: Permission) -> None:
    ledger = Ledger(turn(permission))
    assert read(ledger)["members"] == "5/5"
    assert [(result.text, result.whole) for result in ledger.stored] == [("德", True)]


@pytest.mark.parametrize("permission", ["finished", "running", "late", "dropped", "gone"])
def test_what_may_not_be_read_is_not(permission: str) -> None:
    ledger = Ledger(turn(Permission(permission)))
    assert read(ledger) == {"skipped": permission}
    assert ledger.stored == []


@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError(), OSError()])
def test_a_passing_trouble_is_no_verdict_on_the_image(trouble: Exception) -> None:
    def readings(_: bytes) -> Iterator[Reading]:
        raise trouble

    ledger = Ledger(turn(Permission.RUN))
    read(ledger, readings)
    assert [result.outcome for result in ledger.stored] == [Outcome.FAILED]


def test_a_failed_completion_leaves_the_answer_that_stands() -> None:
    def readings(_: bytes) -> Iterator[Reading]:
        raise MemoryError

    ledger = Ledger(turn(Permission.COMPLETE))
    read(ledger, readings)
    assert ledger.stored == []


def test_redis_away_while_computing_is_no_failure_of_the_engine() -> None:
    """Given an answer for the record, which asks Redis between members whether others wait."""
    ledger = Ledger(turn(Permission.RUN, answer_in_ms=0))
    ledger.away = True
    read(ledger)
    assert [(result.outcome, result.members) for result in ledger.stored] == [(Outcome.ANSWERED, 1)]
    assert not ledger.stored[0].whole
