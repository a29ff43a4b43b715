"""Which line is active: one pointer, that moves only to where requests would be served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import AnyRedis
from workers import __main__ as command_line
from workers.contract import keys
from workers.contract import register as module
from workers.contract.line import Line, Rate
from workers.contract.readiness import Readiness
from workers.contract.register import NotPromoted, Register
from workers.contract.settings import QueueSettings

ALGORITHM, OLD, NEW = "handwriting", "handwriting/1", "handwriting/2"


class World:
    """Two versions, a hand on the clock, and workers that complete what they are told to."""

    def __init__(self, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 1_700_000_000_000
        self.redis = redis.client
        self.settings = QueueSettings(lease_ms=1_000, ready_within_ms=3_000)
        self.register = Register(self.redis, self.settings, self.clock)
        self.lines = {
            name: Line(name, self.redis, self.settings, self.clock, self.clock)
            for name in (OLD, NEW)
        }
        # A probe is completed as soon as it is there, by whoever works.
        self.works = {OLD: True, NEW: True}
        monkeypatch.setattr(module, "enqueue_probe", self._probe)
        monkeypatch.setattr(module, "_PROBED_WITHIN_S", 0.1)
        self.beat(OLD, 2)

    def clock(self) -> int:
        return self.now_ms

    def _probe(self, _: Any, line: str) -> None:
        if self.works[line]:
            self.lines[line].probed()

    def beat(self, line: str, workers: int) -> None:
        for number in range(workers):
            self.lines[line].beat(f"host:{line}-{number}", Rate(100, 1e9), takes_default=True)

    def active(self) -> str:
        readiness = Readiness(self.redis, self.settings, self.clock)
        return readiness.overview().statuses[ALGORITHM].line


@pytest.fixture
def world(any_redis: AnyRedis, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(any_redis, monkeypatch)


def test_a_version_takes_over_and_the_one_before_it_comes_back(world: World) -> None:
    world.beat(NEW, 2)
    assert world.active() == OLD
    assert world.register.promote(NEW) == OLD
    assert world.active() == NEW
    assert world.register.rollback(ALGORITHM) == (OLD, NEW)
    assert world.active() == OLD
    assert world.register.rollback(ALGORITHM) == (NEW, OLD), "and forth"


def test_what_was_promoted_stays_when_its_workers_have_gone(world: World) -> None:
    world.beat(NEW, 2)
    world.register.promote(NEW)
    world.now_ms += 1_001
    world.beat(OLD, 2)
    assert world.active() == NEW


@pytest.mark.parametrize(
    ("workers", "works", "reason"),
    [
        (0, True, "no worker of handwriting/2 lives"),
        (1, True, "has 1 live workers, and needs 2"),
        (2, False, "no worker of handwriting/2 has completed a probe"),
    ],
)
def test_a_version_that_could_not_serve_is_not_promoted(
    world: World, workers: int, works: bool, reason: str
) -> None:
    world.beat(NEW, workers)
    world.works[NEW] = works
    with pytest.raises(NotPromoted, match=reason):
        world.register.promote(NEW)
    assert world.active() == OLD
    assert not world.redis.exists(keys.PROMOTED)


def test_where_memory_is_short_fewer_workers_may_take_over_when_they_are_told_to(
    world: World,
) -> None:
    with pytest.raises(NotPromoted, match="no worker of handwriting/2 lives"):
        world.register.promote(NEW, fewer=True)
    world.beat(NEW, 1)
    assert world.register.promote(NEW, fewer=True) == OLD
    assert world.active() == NEW


def test_an_active_version_can_be_pinned_once(world: World) -> None:
    assert world.register.promote(OLD) == OLD
    with pytest.raises(NotPromoted, match="active already"):
        world.register.promote(OLD)
    with pytest.raises(NotPromoted, match="no version to go back to"):
        world.register.rollback(ALGORITHM)


def test_a_version_without_workers_is_not_gone_back_to(world: World) -> None:
    world.beat(NEW, 2)
    world.register.promote(NEW)
    world.now_ms += 1_001
    world.beat(NEW, 2)
    with pytest.raises(NotPromoted, match="no worker of handwriting/1 lives"):
        world.register.rollback(ALGORITHM)
    assert world.active() == NEW


def test_all_versions_are_told_until_a_minute_after_their_last_worker(world: World) -> None:
    world.beat(NEW, 1)
    versions = world.register.versions()
    told = [(each.status.line, each.active, each.status.workers) for each in versions]
    assert told == [(OLD, True, 2), (NEW, False, 1)]
    world.now_ms += 60_001
    world.beat(OLD, 1)
    assert [each.status.line for each in world.register.versions()] == [OLD]


def test_the_commands_say_what_they_did_and_what_they_did_not(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "impatient", lambda *_: world.redis)
    monkeypatch.setattr(command_line, "Register", lambda *_: world.register)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["python -m workers", *words])
        status = command_line.main()
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    assert run("promote", NEW) == (1, f"Nothing was changed: no worker of {NEW} lives.\n")
    world.beat(NEW, 2)
    assert run("promote", NEW) == (0, f"{NEW} is active now, {OLD} was\n")
    status, table = run("status")
    assert status == 0
    assert [line.split()[:3] for line in table.splitlines()[1:]] == [
        [OLD, "beside", "2"],
        [NEW, "promoted", "2"],
    ]
    assert run("rollback", ALGORITHM) == (0, f"{OLD} is active again, {NEW} was\n")


def test_redis_that_is_away_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("sys.argv", ["python -m workers", "status"])
    assert command_line.main() == 1
    assert capsys.readouterr().err.startswith("Redis is away: ")
