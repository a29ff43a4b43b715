"""The reader: what becomes of one message, with an ensemble that does as it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from redis import RedisError

from model.ensemble import Alternative, Reading
from workers.contract.line import Permission, Turn
from workers.contract.message import ReadRequest
from workers.contract.result import Alternative as Told
from workers.contract.result import Outcome, Result, Stop
from workers.pace import Pace
from workers.reader import Reader
from workers.scheduler import Scheduler
from workers.traces import Traces

MEMBERS, NOW_MS = 5, 1_700_000_000_000
UNTRACED = Traces("")
REQUEST, NEXT = ReadRequest("a-uuid", "a ticket"), ReadRequest("another", "its ticket")


class OneLine:
    """Gives that turn and notes what is stored."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.stored: list[Result] = []
        self.shown: list[tuple[Any, ...]] = []
        self.away = False

    def start(self, requests: Sequence[ReadRequest], *_: Any) -> list[Turn]:
        return [self.turn] * len(requests)

    def waiting(self) -> int:
        if self.away:
            raise RedisError("Redis is away")
        return 0

    def finish(
        self, results: Sequence[tuple[ReadRequest, Result]], *, take: int = 0
    ) -> list[ReadRequest]:
        self.stored.extend(result for _, result in results)
        return [NEXT] * take


def five_members(_: bytes) -> Iterator[Reading]:
    for asked in range(1, MEMBERS + 1):
        others = partial(tuple, (Alternative("得", 0.012345), Alternative("很", 0.0)))
        yield Reading("德", 0.98 + asked / 1_000, asked, asked == MEMBERS, others=others)


def express_member(_: bytes) -> Iterator[Reading]:
    yield Reading("得", 0.999, 1, settled=False)


def reader(
    line: OneLine,
    readings: Callable[[bytes], Iterator[Reading]] = five_members,
    express_us: int | None = None,
) -> Reader:
    ensemble: Any = SimpleNamespace(
        readings=readings,
        size=MEMBERS,
        bundle=SimpleNamespace(id="handwriting/1", digest="d1"),
        express=SimpleNamespace(readings=express_member),
        bunch=None,
    )
    heartbeat: Any = SimpleNamespace(holding=lambda *_: nullcontext(), shadow=None, worker="host:1")
    pace = Pace(1_000, express_us)
    along: Any = SimpleNamespace(show=lambda _, *what: line.shown.append(what))
    scheduler = Scheduler(pace, lambda: NOW_MS)
    parts: Any = (line, heartbeat, scheduler, pace, lambda: NOW_MS, along, UNTRACED)
    return Reader(ensemble, *parts)


def read(line: OneLine, *how: Any, **also: Any) -> Any:
    (told,), _ = reader(line, *how, **also).read([REQUEST])
    return told


def turn(permission: Permission, answer_in_ms: int = 900) -> Turn:
    return Turn(permission, b"image", answer_by_ms=NOW_MS + answer_in_ms)


@pytest.mark.parametrize("permission", [Permission.RUN, Permission.COMPLETE])
def test_what_may_be_read_is_read_whole(permission: Permission) -> None:
    line = OneLine(turn(permission))
    told = read(line)
    assert told["members"] == "5/5"
    # A completion is no execution of its own.
    assert told["answered" if permission is Permission.RUN else "completed"] == "德"
    (result,) = line.stored
    assert (result.text, result.whole, result.stopped) == ("德", True, Stop.ALL)
    assert (result.worker, result.digest, result.ended_ms) == ("host:1", "d1", NOW_MS)
    # What nobody was answered by now is no traffic to compare with.
    shown = [(uuid, image, answer) for uuid, image, answer, _ in line.shown]
    assert shown == [("a-uuid", b"image", "德")] * (permission is Permission.RUN)
    assert line.stored[0].confidence == 0.985
    assert line.stored[0].alternatives == (Told("得", 0.0123), Told("很", 0.0))


@pytest.mark.parametrize("permission", ["finished", "running", "late", "dropped", "gone"])
def test_what_may_not_be_read_is_not(permission: str) -> None:
    line = OneLine(turn(Permission(permission)))
    assert read(line) == {"skipped": permission}
    assert line.stored == []


@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError(), OSError()])
def test_a_passing_trouble_is_no_verdict_on_the_image(trouble: Exception) -> None:
    def readings(image: bytes) -> Iterator[Reading]:
        yield next(five_members(image))
        raise trouble

    line = OneLine(turn(Permission.RUN))
    read(line, readings)
    assert [result.outcome for result in line.stored] == [Outcome.FAILED]
    assert line.stored[0].alternatives is None


def test_a_failed_completion_leaves_the_answer_that_stands() -> None:
    def readings(_: bytes) -> Iterator[Reading]:
        raise MemoryError

    line = OneLine(turn(Permission.COMPLETE))
    read(line, readings)
    assert line.stored == []


def test_in_a_long_line_the_express_member_answers_and_asks_for_the_others() -> None:
    in_a_long_line = turn(Permission.RUN)._replace(share_ms=0, waiting=500)
    line = OneLine(in_a_long_line)
    assert read(line, express_us=400)["members"] == "1/5"
    (result,) = line.stored
    assert (result.text, result.members, result.whole) == ("得", 1, False)
    assert result.stopped is Stop.EXPRESS
    # Of another version, its answer would be no measure.
    assert line.shown == []


@pytest.mark.parametrize("express_us", [None, 400])
def test_what_is_completed_is_not_read_by_the_express_member(express_us: int | None) -> None:
    line = OneLine(turn(Permission.COMPLETE))
    assert read(line, express_us=express_us)["members"] == "5/5"
    assert line.stored[0].text == "德"


def test_a_sheet_is_read_as_far_as_its_caller_waits_and_told_what_was_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given steps that each cost a tenth of a member, and time for half of a member's."""
    now_ms = NOW_MS
    monkeypatch.setattr(time, "perf_counter_ns", lambda: 0)

    def steps(_: bytes) -> Iterator[Reading]:
        nonlocal now_ms
        for step in range(20):
            read, now_ms = {"read": step}, now_ms + 100
            yield Reading("?" * step, 0.9, 0, False, next_share=0.1, output=read)

    line = OneLine(turn(Permission.RUN, answer_in_ms=1_035))
    ensemble: Any = SimpleNamespace(
        readings=steps,
        size=MEMBERS,
        bundle=SimpleNamespace(id="sheet/1", digest="0" * 64),
        express=None,
        bunch=None,
    )
    heartbeat: Any = SimpleNamespace(holding=lambda *_: nullcontext(), shadow=None, worker="host:1")
    pace = Pace(1_000_000)
    along: Any = SimpleNamespace(show=lambda *_: None)
    scheduler = Scheduler(pace, lambda: NOW_MS)
    parts: Any = (line, heartbeat, scheduler, pace, lambda: now_ms, along, UNTRACED)
    assert Reader(ensemble, *parts).read([REQUEST], lambda: True).following == [NEXT]

    (result,) = line.stored
    assert (result.whole, result.members) == (False, 0)
    assert result.output == {"read": 9}
    assert Result.from_json(result.to_json()) == result
    assert pace.member_us == 1_000_000


class Mixed(OneLine):
    """Gives one that is to be made whole and one that somebody waits for, behind whom others do."""

    def start(self, *_: Any) -> list[Turn]:
        return [turn(Permission.COMPLETE), turn(Permission.RUN)]


@pytest.mark.parametrize("others", [False, True])
def test_who_waits_goes_before_what_is_to_be_made_whole(*, others: bool) -> None:
    line = Mixed(turn(Permission.RUN))
    (completed, answered), following = reader(line).read([REQUEST, NEXT], lambda: others)
    assert [result.whole for result in line.stored] == [True, not others]
    assert answered["members"] == "5/5"
    assert completed["members"] == ("1/5" if others else "5/5")
    assert list(following) == [NEXT] * others


def test_what_was_taken_does_not_wait_any_more_when_it_is_read() -> None:
    """Given answers for the record, which are whole while nobody waits."""
    line = OneLine(turn(Permission.RUN, answer_in_ms=0))
    own = reader(line)
    own.read([REQUEST], lambda: True)
    own.read([NEXT])
    assert [result.members for result in line.stored] == [MEMBERS, MEMBERS]


def test_redis_away_while_computing_is_no_failure_of_the_engine() -> None:
    """Given an answer for the record, which asks Redis between members whether others wait."""
    line = OneLine(turn(Permission.RUN, answer_in_ms=0))
    line.away = True
    read(line)
    assert [(result.outcome, result.members) for result in line.stored] == [(Outcome.ANSWERED, 1)]
    assert not line.stored[0].whole
    assert line.stored[0].stopped is Stop.LINE


def test_an_answer_that_is_settled_says_so() -> None:
    def readings(_: bytes) -> Iterator[Reading]:
        yield Reading("德", 0.9, 1, True)

    line = OneLine(turn(Permission.RUN))
    read(line, readings)
    assert [(result.members, result.stopped) for result in line.stored] == [(1, Stop.SETTLED)]


class Timed:
    """A reader whose every look at the clock takes a millisecond, and that may pause."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        monkeypatch.setattr(time, "perf_counter_ns", self.look)
        self.line = OneLine(turn(Permission.RUN))
        ensemble: Any = SimpleNamespace(
            readings=five_members,
            size=MEMBERS,
            bundle=SimpleNamespace(id="handwriting/1", digest="d1"),
            bunch=None,
        )
        heartbeat: Any = SimpleNamespace(
            holding=lambda *_: nullcontext(), shadow=None, worker="host:1"
        )
        self.pace = Pace(1_000)
        along: Any = SimpleNamespace(show=lambda *_: None)
        scheduler = Scheduler(self.pace, lambda: NOW_MS)
        parts: Any = (self.line, heartbeat, scheduler, self.pace, lambda: NOW_MS, along, UNTRACED)
        self.reader = Reader(ensemble, *parts)
        self.read()

    def look(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def read(self, permission: Permission = Permission.RUN, waited_ms: int = 0) -> None:
        self.line.turn = turn(permission)._replace(waited_ms=waited_ms)
        self.reader.read([REQUEST])

    def pause(self, ms: int) -> None:
        self.now_ns += ms * 1_000_000


def test_what_waited_while_another_was_read_tells_what_surrounds_a_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed = Timed(monkeypatch)
    believed_us = timed.pace.overhead_us
    timed.pause(5)
    timed.read(waited_ms=50)
    assert timed.pace.overhead_us > believed_us


@pytest.mark.parametrize("waited_ms", [0, 900])
def test_a_pause_with_nothing_to_read_is_no_overhead(
    monkeypatch: pytest.MonkeyPatch, waited_ms: int
) -> None:
    """Given one that has come at the end of a long pause."""
    timed = Timed(monkeypatch)
    believed_us = timed.pace.overhead_us
    timed.pause(30_000)
    timed.read(waited_ms=waited_ms)
    assert timed.pace.overhead_us == believed_us


def test_what_is_skipped_makes_the_next_one_no_dearer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or, where many are late, all that come after them would be."""
    timed, other = Timed(monkeypatch), Timed(monkeypatch)
    monkeypatch.setattr(time, "perf_counter_ns", timed.look)
    for _ in range(50):
        timed.read(Permission.LATE)
    timed.read(waited_ms=900)
    monkeypatch.setattr(time, "perf_counter_ns", other.look)
    other.read(waited_ms=900)
    assert timed.pace.overhead_us == other.pace.overhead_us
