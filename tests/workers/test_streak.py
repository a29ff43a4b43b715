"""One message after another: how long, what the parent can see of it, and what Flower is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import Celery
from redis import RedisError

from model.bunch import Bunch
from tests.redis_process import RedisProcess
from workers import process as processes
from workers.contract.message import READ_TASK, ReadRequest
from workers.hands import Hand
from workers.process import process
from workers.reader import Read
from workers.settings import WorkerSettings
from workers.streak import Streak
from workers.told import Told

FIRST, *REST = (ReadRequest(f"uuid-{number}", f"ticket-{number}") for number in range(6))
OWNED = ReadRequest("漢" * 128, "a-ticket", account="bank" * 16)
LONGEST = [ReadRequest("漢" * 128, "a" * 32, "00-" + "a" * 52, "bank" * 16)] * Bunch.MOST


class World:
    """A reader behind whom so many messages wait, that takes so many, and a clock that it turns."""

    def __init__(self, waiting: list[ReadRequest], takes_ms: int = 1, takes: int = 1) -> None:
        self.waiting, self.takes_ms, self.takes = list(waiting), takes_ms, takes
        self.now_ms = 0
        self.read_: list[str] = []
        self.held: list[list[ReadRequest]] = []
        self.told: list[tuple[str, Any]] = []
        self.fails_at = self.mute = ""
        self.hand = Hand()
        told: Any = self
        reader: Any = self
        self.streak = Streak(reader, self.hand, told, lambda: self.now_ms)

    def read(self, requests: Sequence[ReadRequest], goes_on: Callable[[], bool]) -> Read:
        uuids = [request.uuid for request in requests]
        if self.fails_at in uuids:
            raise RedisError("Redis is away")
        self.read_ += uuids
        self.held.append(self.hand.within(FIRST.ticket))
        self.now_ms += self.takes_ms
        following = self.waiting[: self.takes] if goes_on() else []
        del self.waiting[: len(following)]
        return Read([{"answered": uuid} for uuid in uuids], following)

    @contextmanager
    def of(self, request: ReadRequest) -> Iterator[Any]:
        def tell(result: Any) -> None:
            if request.uuid == self.mute:
                raise ConnectionError
            self.told.append((request.uuid, result))

        yield tell


def test_what_waits_is_read_one_after_another_and_told() -> None:
    world = World(REST)
    assert world.streak.read(FIRST) == {"answered": "uuid-0"}
    assert world.read_ == [each.uuid for each in (FIRST, *REST)]
    assert world.told == [(each.uuid, {"answered": each.uuid}) for each in REST]
    # Of the first Celery knows; in its place the parent finds each of the others.
    assert world.held == [[], *([each] for each in REST)]
    assert world.hand.within(FIRST.ticket) == []


def test_several_are_read_together_and_each_is_told() -> None:
    world = World(REST, takes=3)
    assert world.streak.read(FIRST) == {"answered": "uuid-0"}
    assert world.told == [(each.uuid, {"answered": each.uuid}) for each in REST]
    assert world.held == [[], REST[:3], REST[3:]]


def test_after_a_while_the_parent_has_its_turn() -> None:
    world = World(REST, takes_ms=100)
    world.streak.read(FIRST)
    assert world.read_ == ["uuid-0", "uuid-1", "uuid-2"]
    assert len(world.waiting) == 3


def test_behind_one_that_took_long_there_is_none() -> None:
    world = World(REST, takes_ms=30_000)
    world.streak.read(FIRST)
    assert world.read_ == ["uuid-0"]


def test_one_that_fails_ends_the_streak_and_not_what_was_before_it() -> None:
    world = World(REST)
    world.fails_at = "uuid-2"
    assert world.streak.read(FIRST) == {"answered": "uuid-0"}
    assert world.read_ == ["uuid-0", "uuid-1"]
    assert world.hand.within(FIRST.ticket) == []


def test_what_was_taken_is_read_though_flower_cannot_be_told_of_the_one_before_it() -> None:
    world = World(REST)
    world.mute = "uuid-2"
    world.streak.read(FIRST)
    assert world.read_ == [each.uuid for each in (FIRST, *REST)]
    assert [uuid for uuid, _ in world.told] == [each.uuid for each in REST if each.uuid != "uuid-2"]


def test_the_longest_names_find_room_in_the_hand() -> None:
    hand = Hand()
    with hand.holding(OWNED.ticket, LONGEST):
        assert hand.within("another task") == []
        assert hand.within(OWNED.ticket) == LONGEST
    assert hand.within(OWNED.ticket) == []


def test_what_was_noted_in_part_is_nothing() -> None:
    hand = Hand()
    with hand.holding(OWNED.ticket, [OWNED]):
        hand._shared.value = hand._shared.value[:100]
        assert hand.within(OWNED.ticket) == []


@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("held", [[], REST[:1], REST[:3]])
def test_of_a_dead_process_that_is_given_back_which_it_had(
    monkeypatch: pytest.MonkeyPatch,
    redis: RedisProcess,
    held: list[ReadRequest],
    *,
    for_good: bool,
) -> None:
    """Only of one alone it is known that it was too much."""
    given_back: list[tuple[str, str, bool]] = []

    class Line:
        def __init__(self, *_: Any) -> None: ...

        def abandon(self, request: str, ticket: str, *, for_good: bool) -> None:
            given_back.append((request, ticket, for_good))

    settings = WorkerSettings(redis_url=redis.url)
    monkeypatch.setattr(process, "settings", settings, raising=False)
    monkeypatch.setattr(process, "hands", [Hand(), Hand()])
    monkeypatch.setattr(processes, "Line", Line)
    fields: Mapping[str, str] = {"ticket": FIRST.ticket}
    holding = process.hands[1].holding(FIRST.ticket, held)
    if held:
        # As in a process that dies: the block never ends.
        holding.__enter__()
    processes._abandon(READ_TASK, FIRST.uuid, fields, for_good=for_good)
    assert given_back == [
        (each.uuid, each.ticket, for_good and len(held) <= 1) for each in held or [FIRST]
    ]


def speak(told: Told) -> None:
    """Of one that was answered, and of one that failed."""
    with told.of(REST[0]) as tell:
        tell({"answered": "德"})
    with pytest.raises(RedisError), told.of(REST[1]):
        raise RedisError("Redis is away")


def test_flower_is_told_by_events_of_celery(redis: RedisProcess) -> None:
    app = Celery("told", broker=redis.url)
    app.conf.worker_send_task_events = True
    told, seen = Told(app, "workers@host"), list[dict[str, Any]]()
    with app.connection_for_read() as flower:
        receiver = app.events.Receiver(flower, handlers={"*": seen.append})
        with receiver.consumer_context(wakeup=False) as (connection, _, _):
            with suppress(TimeoutError):  # it subscribes when it first looks
                connection.drain_events(timeout=0.2)
            told.start()
            speak(told)
            told.stop()
            while len(seen) < 4:
                connection.drain_events(timeout=10)
    assert [(each["type"], each["uuid"], each["hostname"]) for each in seen] == [
        ("task-received", "uuid-1", "workers@host"),
        ("task-succeeded", "uuid-1", "workers@host"),
        ("task-received", "uuid-2", "workers@host"),
        ("task-failed", "uuid-2", "workers@host"),
    ]
    assert seen[0]["name"] == READ_TASK
    assert seen[1]["result"] == "{'answered': '德'}"
    assert seen[1]["runtime"] >= 0
