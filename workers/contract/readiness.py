"""Readiness: whether there are workers, and one has lately completed anything.

A worker can be connected to Redis and yet consume nothing. So being ready rests on a completed
task. When there is no traffic, the fronts send probes, at most one a second among all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock
from workers.contract.scripts import Scripts
from workers.contract.settings import QueueSettings

_PROBE_EVERY_MS = 1_000
_FORGET_WORKERS_AFTER_MS = 60_000


class Counts(NamedTuple):
    """Of images, since Redis has its data: what workers did with them."""

    executions: int
    takeovers: int
    late: int
    dropped: int
    completions: int


class Waiting(NamedTuple):
    """What is stored for workers: so many messages of each kind, and bytes of images."""

    line: int
    late: int
    partial: int
    image_bytes: int


class Rate(NamedTuple):
    """How much is answered in a second with one member each.

    So many images without bytes; reading their bytes takes a second for so many.
    """

    images: float
    image_bytes: float

    @classmethod
    def parse(cls, text: bytes) -> Rate:
        """The inverse of ``str``."""
        images, count = text.split()
        return cls(float(images), float(count))

    def __str__(self) -> str:
        return f"{self.images:.6g} {self.image_bytes:.6g}"


class Status(NamedTuple):
    """What is known of the workers at one moment.

    ``rate`` is that of all of them together, ``members`` how many answers so many members gave.
    """

    workers: int
    idle_ms: int | None
    waiting: Waiting
    counts: Counts
    members: dict[int, int]
    ready: bool
    rate: Rate

    @property
    def queue_length(self) -> int:
        """How many requests wait for a worker."""
        return self.waiting.line


class Readiness:
    """Written by workers, read by fronts. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(
        self, redis: Redis, settings: QueueSettings, redis_clock: Clock | None = None
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = redis_clock
        scripts = Scripts(redis, settings.lease_ms, redis_clock)
        self._beat, self._probed = map(scripts.load, ("beat", "probed"))

    def beat(self, worker: str, bundle: str, rate: Rate) -> None:
        """A worker process has its bundle loaded and lives. ``rate`` is its own."""
        self._beat(worker, str(rate), bundle, _FORGET_WORKERS_AFTER_MS)

    def leave(self, worker: str) -> None:
        """A worker process stops, in order."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(keys.WORKERS, worker)
            pipeline.hdel(keys.RATES, worker)
            pipeline.execute()

    def completed(self) -> None:
        """A worker has just completed a probe."""
        self._probed()

    def lives_on(self, host: str) -> bool:
        """Whether a worker process of this host lives."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.zrange(keys.WORKERS, 0, -1, withscores=True)
            time, beats = pipeline.execute()
        return any(
            worker.startswith(f"{host}:".encode()) for worker in self._alive(self._now(time), beats)
        )

    def status(self) -> Status:
        """What is known now."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.zrange(keys.WORKERS, 0, -1, withscores=True)
            pipeline.hgetall(keys.RATES)
            pipeline.get(keys.COMPLETED)
            pipeline.llen(keys.INFERENCE)
            pipeline.zcard(keys.LINE)
            pipeline.llen(keys.LATE)
            pipeline.llen(keys.PARTIAL)
            pipeline.hget(keys.BYTES, "all")
            pipeline.hmget(keys.COUNTS, Counts._fields)
            pipeline.hgetall(keys.MEMBERS)
            time, beats, rates, completed, *waiting, counts, members = pipeline.execute()
        now_ms = self._now(time)
        workers = self._alive(now_ms, beats)
        listed, in_line, late, partial, image_bytes = (int(count or 0) for count in waiting)
        idle_ms = now_ms - int(completed) if completed else None
        recent = idle_ms is not None and idle_ms <= self._settings.ready_within_ms
        known = [Rate.parse(rates[worker]) for worker in workers if worker in rates]
        return Status(
            workers=len(workers),
            idle_ms=idle_ms,
            waiting=Waiting(listed + in_line, late, partial, image_bytes),
            counts=Counts(*(int(count or 0) for count in counts)),
            members={int(asked): int(count) for asked, count in members.items()},
            ready=recent and bool(workers),
            rate=Rate(sum(rate.images for rate in known), sum(rate.image_bytes for rate in known)),
        )

    def take_probe_turn(self, status: Status) -> bool:
        """Whether the caller should send a probe: workers idle, none waiting, nobody else did."""
        recent = status.idle_ms is not None and status.idle_ms < _PROBE_EVERY_MS
        if recent or status.queue_length or not status.workers:
            return False
        return bool(self._redis.set(keys.PROBE_TURN, 1, nx=True, px=_PROBE_EVERY_MS))

    def _now(self, time: tuple[int, int]) -> int:
        """Redis' time, of its reply in seconds and microseconds."""
        return self._clock() if self._clock else time[0] * 1000 + time[1] // 1000

    def _alive(self, now_ms: int, beats: Any) -> list[bytes]:
        """Those who have beaten lately."""
        since_ms = now_ms - self._settings.lease_ms
        return [worker for worker, beat_ms in beats if beat_ms >= since_ms]
