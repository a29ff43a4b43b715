"""Slices: work on a job for a second or two, put in line behind all that callers wait for.

A message is a hint that names a job. What is left to do of it is known to the job alone, so
messages may be lost with Redis, or be one too many.
"""

from __future__ import annotations

import secrets

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock
from workers.contract.message import slice_message
from workers.contract.scripts import Scripts
from workers.contract.settings import QueueSettings


class Slices:
    """Those of one line. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(
        self, line: str, redis: Redis, settings: QueueSettings, redis_clock: Clock | None = None
    ) -> None:
        self._line = line
        self._redis = redis
        scripts = Scripts(redis, settings.lease_ms, redis_clock)
        self._offer, self._slice = map(scripts.load, ("offer", "slice"))

    def offer(self, job: str) -> bool:
        """Whether a slice of this job was put in line: no more wait than can be worked on."""
        message = slice_message(self._line, job, secrets.token_hex(4))
        return bool(self._offer(self._line, keys.algorithm_of(self._line), message))

    def begin(self, worker: str) -> bool:
        """Whether a worker process may work on a slice: callers who come are left one."""
        return bool(self._slice(self._line, worker, 1))

    def go_on(self, worker: str) -> bool:
        """Whether it may go on after a step, because nobody waits."""
        return bool(self._slice(self._line, worker, 0))

    def leave(self, worker: str) -> None:
        """It is not at a slice any more."""
        self._redis.zrem(keys.of(self._line, keys.SLICING), worker)
