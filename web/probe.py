"""The probe: shows that Redis takes what it is given, and workers complete what it takes."""

from __future__ import annotations

from redis import Redis

from workers.contract.keys import NOTHING
from workers.contract.message import enqueue_probe
from workers.contract.readiness import Overview, Readiness


class Prober:
    """Sends what readiness rests on while a line is idle, when it is this front's turn."""

    def __init__(self, redis: Redis, readiness: Readiness) -> None:
        self._redis = redis
        self._readiness = readiness

    def probe(self, overview: Overview) -> None:
        """Send probes, or write nothing.

        Raises:
            redis.RedisError: Redis is away, or can be read but not written.
        """
        # A replica, and a Redis that cannot keep what is written, answer every other question.
        self._redis.delete(NOTHING)
        for status in overview.statuses.values():
            if self._readiness.take_probe_turn(status):
                enqueue_probe(self._redis, status.line)
