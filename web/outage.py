"""Outages: what an error of Redis means to a caller, and to whoever reads the log.

Each cause is logged when it begins, and then now and then with how often it was met.
"""

from __future__ import annotations

import logging
import threading

from redis import RedisError

from web.problem import Problem
from web.problems import QueueFull, QueueReadOnly, QueueRefuses, RedisAway
from workers.contract.clock import Clock
from workers.contract.refusal import Refusal

logger = logging.getLogger(__name__)

_LOG_AGAIN_MS = 10_000

_WRITING_ONLY = {Refusal.READONLY, Refusal.MISCONF, Refusal.NOREPLICAS}


def problem_of(error: RedisError) -> Problem:
    """What callers are told of it."""
    refusal = Refusal.of(error)
    if refusal is None:
        return RedisAway()
    if refusal is Refusal.OOM:
        return QueueFull(refusal)
    return QueueReadOnly(refusal) if refusal in _WRITING_ONLY else QueueRefuses(refusal)


class Outages:
    """The errors of Redis that this front process meets, from all its threads and requests."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By cause: when it was logged last, and how often it was met since. One that comes and goes
        # stays in here, or it would be logged each time it comes.
        self._causes: dict[str, tuple[int | None, int]] = {}
        self._logged: set[str] = set()

    def note(self, error: RedisError) -> Problem:
        """Log it if it is time to; the problem it is."""
        problem = problem_of(error)
        refusal = Refusal.of(error)
        cause = refusal.name if refusal else type(error).__name__
        with self._lock:
            now_ms = self._clock()
            logged_ms, met = self._causes.get(cause, (None, 0))
            due = logged_ms is None or now_ms - logged_ms >= _LOG_AGAIN_MS
            self._causes[cause] = (now_ms, 0) if due else (logged_ms, met + 1)
            if due:
                self._logged.add(cause)
        if due:
            logger.error("problem=%s cause=%s times=%d: %s", problem.type, cause, met + 1, error)
        return problem

    def over(self) -> None:
        """Redis answers and takes what it is given."""
        with self._lock:
            logged, self._logged = self._logged, set()
        if logged:
            logger.warning("Redis serves again, after %s", ", ".join(sorted(logged)))
