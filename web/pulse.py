"""The pulse: a thread that keeps asking Redis how things are, so that requests need not.

While it gets no reply, requests are refused at once instead of each waiting for a dead socket.
While all is idle, it sends the probes that readiness rests on.
"""

from __future__ import annotations

import logging
import threading
import time

from redis import Redis, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from web.problems import RedisAway
from workers.contract.queue import enqueue_probe
from workers.contract.readiness import Readiness, Status

logger = logging.getLogger(__name__)

_PERIOD_S = 0.2

# A burst of callers can hold up one reply for a moment. Two late ones in a row are no accident.
_FAILURES = 2


def is_out_of_memory(error: RedisError) -> bool:
    """Whether Redis refused to write. An error within a script has no type of its own."""
    return "maxmemory" in str(error)


class Pulse:
    """What this front process knows of Redis and the workers, about a second old at most."""

    def __init__(self, redis: Redis, readiness: Readiness) -> None:
        self._redis = redis
        self._readiness = readiness
        self._failures = 0
        self._status: Status | None = None
        # The latest probe found no room in Redis. Without probes the workers seem to do nothing.
        self.full = False
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin, with a first look before this returns."""
        self._look()
        self._thread.start()

    @property
    def status(self) -> Status:
        """The latest status.

        Raises:
            RedisAway: the latest look got no reply.
        """
        if self._status is None:
            raise RedisAway
        return self._status

    def require_redis(self) -> None:
        """Raise ``RedisAway`` when the latest look got no reply."""
        _ = self.status

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD_S)
            try:
                self._look()
            except Exception:
                # Without this thread the front would believe its last status for ever.
                logger.exception("the pulse failed, going on")
                self._status = None

    def _look(self) -> None:
        try:
            status = self._readiness.status()
            self._probe(status)
        except RedisError as error:
            self._failures += 1
            refused = not isinstance(error, RedisTimeoutError)
            if refused or self._failures >= _FAILURES:
                if self._status is not None:
                    logger.warning("Redis is away: %s", error)
                self._status = None
        else:
            self._failures = 0
            self._status = status

    def _probe(self, status: Status) -> None:
        """Send a probe if it is this front's turn."""
        try:
            if self._readiness.take_probe_turn(status):
                enqueue_probe(self._redis)
            self.full = False
        except RedisError as error:
            if not is_out_of_memory(error):
                raise
            self.full = True
