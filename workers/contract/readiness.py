"""Readiness: whether there are workers, and one has lately completed anything.

A worker can be connected to Redis and yet consume nothing. So being ready rests on a completed
task. When there is no traffic, the fronts send probes, at most one a second among all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redis import Redis

from workers.contract.clock import Clock
from workers.contract.keys import BUNDLE, COMPLETED, COUNTS, LUA, PROBE_TURN, RATES, WORKERS
from workers.contract.queue import INFERENCE
from workers.contract.settings import QueueSettings

_PROBE_EVERY_MS = 1_000
_FORGET_WORKERS_AFTER_MS = 60_000


class Counts(NamedTuple):
    """Of images, since Redis has its data: what workers did with them."""

    executions: int
    late: int
    dropped: int
    completions: int


class Status(NamedTuple):
    """What is known of the workers at one moment.

    ``rate`` is how many images a second all of them answer when each asks one member.
    """

    workers: int
    idle_ms: int | None
    queue_length: int
    counts: Counts
    ready: bool
    rate: float


class Readiness:
    """Written by workers, read by fronts. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(self, redis: Redis, settings: QueueSettings, clock: Clock) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = clock
        self._beat = redis.register_script((LUA / "beat.lua").read_text())

    def beat(self, worker: str, bundle: str, rate: float) -> None:
        """A worker process has its bundle loaded and lives.

        ``rate`` is how many images a second it answers when it asks one member.
        """
        now_ms = self._clock()
        self._beat(
            keys=[WORKERS, RATES, BUNDLE],
            args=[now_ms, worker, rate, bundle, now_ms - _FORGET_WORKERS_AFTER_MS],
        )

    def leave(self, worker: str) -> None:
        """A worker process stops, in order."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(WORKERS, worker)
            pipeline.hdel(RATES, worker)
            pipeline.execute()

    def completed(self) -> None:
        """A worker has just completed a probe."""
        self._redis.set(COMPLETED, self._clock())

    def lives_on(self, host: str) -> bool:
        """Whether a worker process of this host lives."""
        since_ms = self._clock() - self._settings.lease_ms
        alive: Any = self._redis.zrangebyscore(WORKERS, since_ms, "+inf")
        return any(worker.startswith(f"{host}:".encode()) for worker in alive)

    def status(self) -> Status:
        """What is known now."""
        now_ms = self._clock()
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrangebyscore(WORKERS, now_ms - self._settings.lease_ms, "+inf")
            pipeline.hgetall(RATES)
            pipeline.get(COMPLETED)
            pipeline.llen(INFERENCE)
            pipeline.hmget(COUNTS, Counts._fields)
            workers, rates, completed, queue_length, counts = pipeline.execute()
        idle_ms = now_ms - int(completed) if completed else None
        recent = idle_ms is not None and idle_ms <= self._settings.ready_within_ms
        return Status(
            workers=len(workers),
            idle_ms=idle_ms,
            queue_length=queue_length,
            counts=Counts(*(int(count or 0) for count in counts)),
            ready=recent and bool(workers),
            rate=sum(float(rates.get(worker, 0)) for worker in workers),
        )

    def take_probe_turn(self, status: Status) -> bool:
        """Whether the caller should send a probe: workers idle, none waiting, nobody else did."""
        recent = status.idle_ms is not None and status.idle_ms < _PROBE_EVERY_MS
        if recent or status.queue_length or not status.workers:
            return False
        return bool(self._redis.set(PROBE_TURN, 1, nx=True, px=_PROBE_EVERY_MS))
