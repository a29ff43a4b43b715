"""A process that ends no task any more does not live for others."""

from __future__ import annotations

import pytest

from tests.conftest import AnyRedis
from workers.contract import keys
from workers.contract.line import Line
from workers.contract.message import ReadRequest
from workers.contract.readiness import Readiness
from workers.heartbeat import Heartbeat
from workers.pace import Pace
from workers.settings import WorkerSettings

LIMIT_MS, NAME = 10_000, "bundle/1"
INFERENCE = keys.of(NAME, keys.INFERENCE)


class Beating:
    """One process's heartbeat, with the hand on the clock."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis = redis.client
        self.now_ms = 1_700_000_000_000
        settings = WorkerSettings(task_limit_ms=LIMIT_MS)
        self.readiness = Readiness(self.redis, settings, self.clock)
        line = Line(NAME, self.redis, settings, self.clock, self.clock)
        self.heart = Heartbeat("host:1", line, Pace(1_000), settings, self.clock)

    def clock(self) -> int:
        return self.now_ms

    def lives_after(self, passed_ms: int) -> bool:
        for _ in range(passed_ms // 1_000):
            self.now_ms += 1_000
            self.heart._beat()
        return self.readiness.lives_on("host")


@pytest.fixture
def beating(any_redis: AnyRedis) -> Beating:
    return Beating(any_redis)


def test_an_idle_process_lives(beating: Beating) -> None:
    assert beating.lives_after(3 * LIMIT_MS)


def test_a_process_that_takes_nothing_of_what_waits_does_not_live(beating: Beating) -> None:
    beating.redis.lpush(INFERENCE, "a message")
    assert beating.lives_after(LIMIT_MS)
    assert not beating.lives_after(2_000)
    beating.heart.moved()
    assert beating.lives_after(1_000)


def test_a_process_that_ends_tasks_while_others_wait_lives(beating: Beating) -> None:
    beating.redis.lpush(INFERENCE, "a message")
    for _ in range(4):
        assert beating.lives_after(LIMIT_MS // 2)
        beating.heart.moved()


def test_a_process_that_hangs_does_not_live(beating: Beating) -> None:
    with beating.heart.holding([ReadRequest("a-uuid", "a ticket")]):
        assert beating.lives_after(LIMIT_MS)
        assert not beating.lives_after(2_000)
    assert beating.lives_after(1_000)
