"""Readiness: whether there are workers, and one has lately completed anything.

A worker can be connected to Redis and yet consume nothing. So being ready rests on a completed
task. When there is no traffic, the fronts send probes, at most one a second among all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock
from workers.contract.line import Rate
from workers.contract.settings import QueueSettings

_PROBE_EVERY_MS = 1_000


class Counts(NamedTuple):
    """Of images, since Redis has its data: what workers did with them.

    ``refused``: those for which the line was full, so that no worker ever had them.
    """

    executions: int
    takeovers: int
    late: int
    dropped: int
    completions: int
    express: int
    refused: int


class Memory(NamedTuple):
    """What Redis uses and may use, in bytes; ``most`` is 0 where nothing bounds it."""

    used: int
    most: int


class Waiting(NamedTuple):
    """What is stored for workers: so many messages of each kind."""

    line: int
    late: int
    partial: int


class Status(NamedTuple):
    """What is known of a line at one moment.

    ``rate`` and ``resident_bytes`` are those of all its workers together, ``members`` how many
    answers so many members gave. ``digest``: of the bundle, as far as that is known.
    """

    line: str
    workers: int
    idle_ms: int | None
    waiting: Waiting
    counts: Counts
    members: dict[int, int]
    ready: bool
    rate: Rate
    resident_bytes: int
    digest: str

    @property
    def queue_length(self) -> int:
        """How many requests wait for a worker."""
        return self.waiting.line


class Overview(NamedTuple):
    """What is known at one moment, by algorithm of the line that new requests go to.

    ``default``: the algorithm of those who name none; None while no worker has come.
    ``image_bytes``: the images that are stored for all lines together.
    ``beside``: the other lines that have lately had workers.
    """

    default: str | None
    statuses: dict[str, Status]
    image_bytes: int
    beside: list[Status]


class Readiness:
    """What fronts read of the workers. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(
        self, redis: Redis, settings: QueueSettings, redis_clock: Clock | None = None
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = redis_clock

    def default(self) -> str | None:
        """The algorithm of those who name none; None while no worker has come."""
        name: Any = self._redis.get(keys.DEFAULT)
        return None if name is None else str(name, "utf-8")

    def overview(self) -> Overview:
        """What is known now."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.get(keys.DEFAULT)
            pipeline.hgetall(keys.CLAIMED)
            pipeline.hgetall(keys.PROMOTED)
            pipeline.zrange(keys.LINES, 0, -1)
            pipeline.hget(keys.BYTES, "all")
            default, claimed, promoted, known, image_bytes = pipeline.execute()
        # As active_line in shared.lua.
        promoted = {
            name: line for name, line in promoted.items() if line in known or name not in claimed
        }
        lines = {name.decode(): line.decode() for name, line in (claimed | promoted).items()}
        beside = {line.decode() for line in known} - set(lines.values())
        statuses = self.statuses([*lines.values(), *sorted(beside)])
        return Overview(
            default=default and default.decode(),
            statuses=dict(zip(lines, statuses, strict=False)),
            image_bytes=int(image_bytes or 0),
            beside=statuses[len(lines) :],
        )

    def memory(self) -> Memory:
        """Of Redis itself; who administers it may forbid to ask, which is an error too."""
        told: Any = self._redis.info("memory")
        return Memory(told["used_memory"], told.get("maxmemory", 0))

    def note_refused(self, counts: Mapping[str, int]) -> None:
        """So many requests found these lines full."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for line, count in counts.items():
                pipeline.hincrby(keys.of(line, keys.COUNTS), "refused", count)
            pipeline.execute()

    def statuses(self, lines: Sequence[str]) -> list[Status]:
        """What is known of these lines now."""
        if not lines:
            return []
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for line in lines:
                self._ask(pipeline, line)
            time, *replies = pipeline.execute()
        size = len(replies) // len(lines)
        return [
            self._status(line, self._now(time), replies[number * size : (number + 1) * size])
            for number, line in enumerate(lines)
        ]

    def lives_on(self, host: str) -> bool:
        """Whether a worker process of this host lives, of whatever version."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.zrange(keys.LINES, 0, -1)
            time, names = pipeline.execute()
            for line in names:
                pipeline.zrange(keys.of(line.decode(), keys.WORKERS), 0, -1, withscores=True)
            lines = pipeline.execute()
        return any(
            worker.startswith(f"{host}:".encode())
            for beats in lines
            for worker in self._alive(self._now(time), beats)
        )

    def take_probe_turn(self, status: Status) -> bool:
        """Whether the caller should send a probe: workers idle, none waiting, nobody else did.

        Whatever waits shows as much when it is done, and a probe would go before it.
        """
        recent = status.idle_ms is not None and status.idle_ms < _PROBE_EVERY_MS
        if recent or any(status.waiting) or not status.workers:
            return False
        turn = keys.of(status.line, keys.PROBE_TURN)
        return bool(self._redis.set(turn, 1, nx=True, px=_PROBE_EVERY_MS))

    def _ask(self, pipeline: Any, line: str) -> None:
        pipeline.zrange(keys.of(line, keys.WORKERS), 0, -1, withscores=True)
        pipeline.hgetall(keys.of(line, keys.RATES))
        pipeline.hgetall(keys.of(line, keys.MEMORY))
        pipeline.hget(keys.DIGESTS, line)
        pipeline.get(keys.of(line, keys.COMPLETED))
        pipeline.llen(keys.of(line, keys.INFERENCE))
        pipeline.zcard(keys.of(line, keys.LINE))
        pipeline.llen(keys.of(line, keys.LATE))
        pipeline.llen(keys.of(line, keys.PARTIAL))
        pipeline.hmget(keys.of(line, keys.COUNTS), Counts._fields)
        pipeline.hgetall(keys.of(line, keys.MEMBERS))

    def _status(self, line: str, now_ms: int, replies: list[Any]) -> Status:
        """Of the replies to ``_ask``."""
        beats, rates, memory, digest, completed, *waiting, counts, members = replies
        workers = self._alive(now_ms, beats)
        listed, in_line, late, partial = waiting
        idle_ms = now_ms - int(completed) if completed else None
        recent = idle_ms is not None and idle_ms <= self._settings.ready_within_ms
        known = [Rate.parse(rates[worker]) for worker in workers if worker in rates]
        return Status(
            line=line,
            workers=len(workers),
            idle_ms=idle_ms,
            waiting=Waiting(listed + in_line, late, partial),
            counts=Counts(*(int(count or 0) for count in counts)),
            members={int(asked): int(count) for asked, count in members.items()},
            ready=recent and bool(workers),
            rate=Rate(sum(rate.images for rate in known), sum(rate.image_bytes for rate in known)),
            resident_bytes=sum(int(memory.get(worker, 0)) for worker in workers),
            digest=str(digest or b"", "utf-8"),
        )

    def _now(self, time: tuple[int, int]) -> int:
        """Redis' time, of its reply in seconds and microseconds."""
        return self._clock() if self._clock else time[0] * 1000 + time[1] // 1000

    def _alive(self, now_ms: int, beats: Any) -> list[bytes]:
        """Those who have beaten lately."""
        since_ms = now_ms - self._settings.lease_ms
        return [worker for worker, beat_ms in beats if beat_ms >= since_ms]
