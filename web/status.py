"""The latest status: a thread keeps asking Redis how things are, so that requests need not.

While it gets no reply, requests are refused at once instead of each waiting for a dead socket.
"""

from __future__ import annotations

import logging
import threading
import time

from redis import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from web.demand import Demand
from web.outage import Outages, problem_of
from web.probe import Prober
from web.problems import AlgorithmUnknown, QueueReadOnly, WorkersAway
from workers.contract.readiness import Overview, Readiness, Status

logger = logging.getLogger(__name__)

_PERIOD_S = 0.2

# A burst of callers can hold up one reply for a moment. Two late ones in a row are no accident.
_FAILURES = 2


class LatestStatus:
    """What this front process knows of Redis and the workers, about a second old at most."""

    def __init__(
        self,
        readiness: Readiness,
        prober: Prober,
        outages: Outages,
        demand: Demand,
    ) -> None:
        self._readiness = readiness
        self._prober = prober
        self._outages = outages
        self._demand = demand
        self._failures = 0
        self._overview: Overview | None = None
        # Why there is none, and why Redis takes nothing new. Kept as errors: a problem is raised
        # once, for it remembers where.
        self._away = RedisError("not asked yet")
        self._read_only: RedisError | None = None
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin, with a first look before this returns."""
        self.look()
        self._thread.start()

    @property
    def overview(self) -> Overview:
        """What was known at the latest look.

        Raises:
            RedisAway: it got no reply, or none that serves.
        """
        if self._overview is None:
            raise problem_of(self._away)
        return self._overview

    def status(self, algorithm: str) -> Status:
        """The latest status of one of the algorithms that ``named`` returns.

        Raises:
            RedisAway: as above.
            WorkersAway: Redis has forgotten it meanwhile.
        """
        status = self.overview.statuses.get(algorithm)
        if status is None:
            raise WorkersAway
        return status

    def named(self, algorithm: str | None) -> str:
        """The algorithm of that name, or of those who give none.

        Raises:
            RedisAway: as above.
            AlgorithmUnknown: there is none of that name.
            WorkersAway: no worker has come yet, so there is no algorithm at all.
        """
        overview = self.overview
        if algorithm is None:
            if overview.default is None:
                raise WorkersAway
            return overview.default
        if algorithm not in overview.statuses:
            raise AlgorithmUnknown(algorithm)
        return algorithm

    def require_redis(self) -> None:
        """Raise what ``overview`` raises."""
        _ = self.overview

    def require_writing(self) -> None:
        """Raise also when Redis takes nothing new.

        Raises:
            RedisAway: the latest look got no reply, or none that serves.
            QueueReadOnly: it could be read, and not written.
        """
        self.require_redis()
        if self._read_only is not None:
            raise problem_of(self._read_only)

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD_S)
            try:
                self.look()
            except Exception:
                # Without this thread the front would believe its last status for ever.
                logger.exception("looking at Redis failed, going on")
                self._overview = None

    def look(self) -> None:
        """Look once."""
        try:
            overview = self._readiness.overview()
            self._read_only = self._try_to_write(overview)
        except RedisError as error:
            self._failures += 1
            refused = not isinstance(error, RedisTimeoutError)
            if refused or self._failures >= _FAILURES:
                self._outages.note(error)
                self._overview, self._away = None, error
        else:
            self._failures = 0
            self._overview = overview
            self._demand.look(overview)
            if self._read_only is None:
                self._outages.over()

    def _try_to_write(self, overview: Overview) -> RedisError | None:
        """The error, if it is one that leaves Redis readable."""
        try:
            self._prober.probe(overview)
        except RedisError as error:
            if not isinstance(self._outages.note(error), QueueReadOnly):
                raise
            return error
        return None
