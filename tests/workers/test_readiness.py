"""Readiness rests on a completed task, and probes are sent only when nothing else moves."""

from __future__ import annotations

import pytest

from tests.conftest import AnyRedis
from tests.redis_process import RedisProcess
from workers.contract import keys
from workers.contract.keys import of
from workers.contract.line import Line, Rate
from workers.contract.readiness import Readiness, Status, Waiting
from workers.contract.settings import QueueSettings

NAME = "bundle/1"
INFERENCE, LATE, LINE, MEMBERS, PARTIAL, RATES, WORKERS = (
    of(NAME, key)
    for key in (
        *(keys.INFERENCE, keys.LATE, keys.LINE, keys.MEMBERS),
        *(keys.PARTIAL, keys.RATES, keys.WORKERS),
    )
)


class Watch:
    """Readiness with the hand on the clock."""

    def __init__(self, redis: AnyRedis) -> None:
        self.now_ms = 1_700_000_000_000
        settings = QueueSettings(lease_ms=1_000, ready_within_ms=3_000)
        self.readiness = Readiness(redis.client, settings, lambda: self.now_ms)
        self.line = Line(NAME, redis.client, settings, redis_clock=lambda: self.now_ms)

    def beat(self, worker: str, rate: float = 100.0) -> None:
        self.line.beat(worker, Rate(rate, 2 * rate), takes_default=True)

    def status(self) -> Status:
        return self.readiness.statuses([NAME])[0]

    def probe_is_due(self) -> bool:
        return self.readiness.take_probe_turn(self.status())


@pytest.fixture
def watch(any_redis: AnyRedis) -> Watch:
    return Watch(any_redis)


def test_a_worker_that_beats_but_completes_nothing_is_not_ready(watch: Watch) -> None:
    watch.beat("host:1")
    assert watch.status().workers == 1
    assert not watch.status().ready
    watch.line.probed()
    assert watch.status().ready
    watch.now_ms += 3_001
    watch.beat("host:1")
    assert not watch.status().ready


def test_a_worker_that_beats_no_more_is_gone(watch: Watch) -> None:
    watch.beat("host:1")
    watch.line.probed()
    watch.now_ms += 1_001
    assert watch.status().workers == 0
    assert not watch.status().ready


def test_a_worker_that_leaves_is_gone_at_once(watch: Watch) -> None:
    watch.beat("host:1")
    watch.line.leave("host:1")
    assert watch.status().workers == 0


def test_the_health_check_looks_for_workers_of_its_own_host(watch: Watch) -> None:
    watch.beat("host:1")
    assert watch.readiness.lives_on("host")
    assert not watch.readiness.lives_on("hos")
    watch.now_ms += 1_001
    assert not watch.readiness.lives_on("host")


def test_one_front_sends_a_probe_when_all_is_idle(watch: Watch) -> None:
    watch.beat("host:1")
    assert watch.probe_is_due()
    assert not watch.probe_is_due(), "another front has had the turn"


def test_no_probe_is_sent_without_workers(watch: Watch) -> None:
    assert not watch.probe_is_due()


@pytest.mark.parametrize("queue", [INFERENCE, LATE, PARTIAL])
def test_no_probe_is_sent_before_what_waits(watch: Watch, any_redis: AnyRedis, queue: str) -> None:
    """It would go before what is late or to be made whole, for ever where a probe takes long."""
    watch.beat("host:1")
    any_redis.client.lpush(queue, "a message")
    assert not watch.probe_is_due()


def test_no_probe_is_sent_while_tasks_complete(watch: Watch) -> None:
    watch.beat("host:1")
    watch.line.probed()
    watch.now_ms += 999
    watch.beat("host:1")
    assert not watch.probe_is_due()
    watch.now_ms += 1
    assert watch.probe_is_due()


def test_the_rates_of_those_who_live_add_up(watch: Watch) -> None:
    watch.beat("host:1", 100.0)
    watch.now_ms += 1_001
    watch.beat("host:2", 20.5)
    watch.beat("host:3", 10.0)
    assert watch.status().rate == (30.5, 61)
    watch.line.leave("host:3")
    assert watch.status().rate == (20.5, 41)


def test_who_is_silent_for_long_leaves_nothing_behind(watch: Watch, any_redis: AnyRedis) -> None:
    watch.beat("host:1")
    watch.now_ms += 60_001
    watch.beat("host:2")
    assert any_redis.client.zrange(WORKERS, 0, -1) == [b"host:2"]
    assert any_redis.client.hkeys(RATES) == [b"host:2"]


def test_what_is_stored_for_workers_is_told(watch: Watch, any_redis: AnyRedis) -> None:
    any_redis.client.lpush(INFERENCE, "a")
    any_redis.client.zadd(LINE, {"b": 1, "c": 2})
    any_redis.client.lpush(LATE, "d")
    any_redis.client.lpush(PARTIAL, "e", "f")
    any_redis.client.hset(MEMBERS, mapping={"1": 7, "5": 8})
    status = watch.status()
    assert status.waiting == Waiting(line=3, late=1, partial=2)
    assert status.members == {1: 7, 5: 8}


def test_the_line_moves_on_when_a_worker_has_died_with_what_was_next(
    watch: Watch, any_redis: AnyRedis
) -> None:
    any_redis.client.zadd(LINE, {"later": 2, "first": 1})
    watch.beat("host:1")
    assert any_redis.client.lrange(INFERENCE, 0, -1) == [b"first"]
    any_redis.client.rpop(INFERENCE)
    watch.beat("host:1")
    assert any_redis.client.lrange(INFERENCE, 0, -1) == [b"later"]


def test_a_full_redis_still_takes_heartbeats(redis: RedisProcess) -> None:
    watch = Watch(redis)
    redis.client.config_set("maxmemory", 1)
    try:
        watch.beat("host:1")
        watch.line.probed()
    finally:
        redis.client.config_set("maxmemory", 0)
    assert watch.status().ready


def test_workers_of_another_version_stand_beside(watch: Watch, any_redis: AnyRedis) -> None:
    watch.beat("host:1")
    assert watch.readiness.overview().beside == []
    settings = QueueSettings()
    next_line = Line("bundle/2", any_redis.client, settings, redis_clock=lambda: watch.now_ms)
    next_line.beat("host:2", Rate(100, 200), takes_default=True)
    overview = watch.readiness.overview()
    assert overview.statuses["bundle"].line == NAME
    assert [(status.line, status.workers) for status in overview.beside] == [("bundle/2", 1)]
