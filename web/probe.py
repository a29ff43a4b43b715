"""The probe: shows that Redis takes what it is given, and workers complete what it takes."""

from __future__ import annotations

from redis import Redis

from workers.contract.keys import NOTHING
from workers.contract.message import enqueue_probe
from workers.contract.readiness import Readiness, Status


class Prober:
    """Sends the probes that readiness rests on while all is idle, when it is this front's turn."""

    def __init__(self, redis: Redis, readiness: Readiness) -> None:
        self._redis = redis
        self._readiness = readiness

    def probe(self, status: Status) -> None:
        """Send a probe, or write nothing.

        Raises:
            redis.RedisError: Redis is away, or can be read but not written.
        """
        # A replica, and a Redis that cannot keep what is written, answer every other question.
        self._redis.delete(NOTHING)
        if self._readiness.take_probe_turn(status):
            enqueue_probe(self._redis)
