"""The reader: what becomes of one message, with an ensemble that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from redis import RedisError

from model.ensemble import Reading
from workers.contract.line import Permission, Turn
from workers.contract.result import Outcome, Result
from workers.reader import Reader
from workers.scheduler import Pace, Scheduler

MEMBERS, NOW_MS = 5, 1_700_000_000_000


class OneLine:
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


def read(line: OneLine, readings: Callable[[bytes], Iterator[Reading]] = five_members) -> Any:
    ensemble: Any = SimpleNamespace(
        readings=readings, size=MEMBERS, bundle=SimpleNamespace(id="handwriting/1")
    )
    heartbeat: Any = SimpleNamespace(holding=lambda *_: nullcontext())
    pace = Pace(1_000)
    parts: Any = (line, heartbeat, Scheduler(pace, lambda: NOW_MS), pace, lambda: NOW_MS)
    return Reader(ensemble, *parts).read("a-uuid", "a ticket")


def turn(permission: Permission, answer_in_ms: int = 900) -> Turn:
    return Turn(permission, b"image", answer_by_ms=NOW_MS + answer_in_ms)


@pytest.mark.parametrize("permission", [Permission.RUN, Permission.COMPLETE])
def test_what_may_be_read_is_read_whole(permission: Permission) -> None:
    line = OneLine(turn(permission))
    assert read(line)["members"] == "5/5"
    assert [(result.text, result.whole) for result in line.stored] == [("德", True)]


@pytest.mark.parametrize("permission", ["finished", "running", "late", "dropped", "gone"])
def test_what_may_not_be_read_is_not(permission: str) -> None:
    line = OneLine(turn(Permission(permission)))
    assert read(line) == {"skipped": permission}
    assert line.stored == []


@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError(), OSError()])
def test_a_passing_trouble_is_no_verdict_on_the_image(trouble: Exception) -> None:
    def readings(_: bytes) -> Iterator[Reading]:
        raise trouble

    line = OneLine(turn(Permission.RUN))
    read(line, readings)
    assert [result.outcome for result in line.stored] == [Outcome.FAILED]


def test_a_failed_completion_leaves_the_answer_that_stands() -> None:
    def readings(_: bytes) -> Iterator[Reading]:
        raise MemoryError

    line = OneLine(turn(Permission.COMPLETE))
    read(line, readings)
    assert line.stored == []


def test_redis_away_while_computing_is_no_failure_of_the_engine() -> None:
    """Given an answer for the record, which asks Redis between members whether others wait."""
    line = OneLine(turn(Permission.RUN, answer_in_ms=0))
    line.away = True
    read(line)
    assert [(result.outcome, result.members) for result in line.stored] == [(Outcome.ANSWERED, 1)]
    assert not line.stored[0].whole
