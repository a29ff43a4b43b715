"""The register: which line of an algorithm new requests go to, and how that changes.

One pointer decides, and only ``promote`` and ``rollback`` write it. Requests that were begun end in
their own line, whose workers may stay for as long as going back is to take a moment.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock
from workers.contract.message import enqueue_probe
from workers.contract.readiness import Readiness, Status
from workers.contract.scripts import Scripts
from workers.contract.settings import QueueSettings

# So long a probe may take, behind what a worker has in hand.
_PROBED_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.05


class NotPromoted(Exception):
    """The line cannot take over. The message tells the operator why."""


class Version(NamedTuple):
    """A line that has workers, or had some a minute ago, or is active."""

    status: Status
    active: bool
    promoted: bool

    @property
    def state(self) -> str:
        """``promoted`` or ``active``, if new requests go to it, else ``beside``."""
        if not self.active:
            return "beside"
        return "promoted" if self.promoted else "active"


class Register:
    """What operators see and do. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(
        self, redis: Redis, settings: QueueSettings, redis_clock: Clock | None = None
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._readiness = Readiness(redis, settings, redis_clock)
        self._promote = Scripts(redis, settings.lease_ms, redis_clock).load("promote")

    def versions(self) -> list[Version]:
        """All lines, by name."""
        pointers: Any = self._redis.hvals(keys.PROMOTED)
        promoted = {name.decode() for name in pointers}
        overview = self._readiness.overview()
        active = {status.line for status in overview.statuses.values()}
        beaten: Any = self._redis.zrange(keys.LINES, 0, -1)
        names = sorted(active | {name.decode() for name in beaten})
        return [
            Version(status, status.line in active, status.line in promoted)
            for status in self._readiness.statuses(names)
        ]

    def promote(self, line: str, *, fewer: bool = False) -> str:
        """New requests go to this line from now on.

        Args:
            line: which one.
            fewer: whether it may have fewer live workers than the line before it, and so answer
                less at once. Where memory is short the others come when that line is retired.

        Returns:
            The line before it, or empty where there was none.

        Raises:
            NotPromoted: it has too few live workers, or none of them completes a probe.
        """
        if not self.status(line).workers:
            raise NotPromoted(f"no worker of {line} lives")
        enqueue_probe(self._redis, line)
        until_s = time.monotonic() + _PROBED_WITHIN_S
        while True:
            algorithm = keys.algorithm_of(line)
            verdict, before, *counts = self._promote(
                line, algorithm, self._settings.ready_within_ms, int(fewer)
            )
            match verdict:
                case b"promoted":
                    return str(before, "utf-8")
                case b"active":
                    raise NotPromoted(f"{line} is active already")
                case b"few":
                    raise NotPromoted(
                        f"{line} has {counts[0]} live workers, and needs {counts[1]}: "
                        f"as many as {before.decode() or 'one that serves'}"
                    )
            if time.monotonic() > until_s:
                raise NotPromoted(f"no worker of {line} has completed a probe")
            time.sleep(_LOOK_EVERY_S)

    def rollback(self, algorithm: str) -> tuple[str, str]:
        """New requests go again to the line that was active before the last ``promote``.

        Returns:
            That line, and the one that was active until now.

        Raises:
            NotPromoted: there is none, or it cannot serve.
        """
        previous: Any = self._redis.hget(keys.PREVIOUS, algorithm)
        if not previous:
            raise NotPromoted(f"{algorithm} has no version to go back to")
        return previous.decode(), self.promote(previous.decode())

    def restore(self, algorithm: str, promoted: str, previous: str) -> None:
        """Tell a Redis that has lost it what was promoted. One that knows better keeps its own."""
        with self._redis.pipeline() as pipeline:
            if promoted:
                pipeline.hsetnx(keys.PROMOTED, algorithm, promoted)
            if previous:
                pipeline.hsetnx(keys.PREVIOUS, algorithm, previous)
            pipeline.execute()

    def status(self, line: str) -> Status:
        """What is known of one line."""
        (status,) = self._readiness.statuses([line])
        return status
