"""Heartbeat: tells the ledger that this process lives, and renews the lease of what it runs."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis import RedisError

from workers.bounds import resident_bytes
from workers.contract.clock import Clock
from workers.contract.line import Line
from workers.contract.message import ReadRequest
from workers.contract.shadow import Assignment
from workers.pace import Pace
from workers.settings import WorkerSettings

logger = logging.getLogger(__name__)


class Heartbeat:
    """A daemon thread. Engines release the GIL while they compute, so it beats meanwhile."""

    def __init__(
        self,
        worker: str,
        line: Line,
        pace: Pace,
        settings: WorkerSettings,
        clock: Clock,
        digest: str = "",
    ) -> None:
        self.worker = worker
        self._digest = digest
        # Whom to show what was answered, as the latest beat heard.
        self.shadow: Assignment | None = None
        self._line = line
        self._pace = pace
        # Three beats may be lost before the lease is.
        self._period_s = settings.lease_ms / 4 / 1000
        self._takes_default = not settings.algorithm
        self._held: Sequence[ReadRequest] = ()
        self._task_limit_ms = settings.task_limit_ms
        self._clock = clock
        self._moved_ms = clock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin, with a first beat before this returns."""
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """End, and take the worker off the list."""
        self._stopped.set()
        self._thread.join()
        try:
            self._line.leave(self.worker)
        except RedisError:
            logger.warning("Redis is away: this worker's last beat will run out by itself")

    @contextmanager
    def holding(self, requests: Sequence[ReadRequest]) -> Iterator[None]:
        """Renew the leases of these for the length of the block."""
        self.moved()
        self._held = requests
        try:
            yield
        finally:
            self._held = ()
            self.moved()

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            self._beat()

    def moved(self) -> None:
        """A task has ended, whatever came of it: this process takes messages and ends them."""
        self._moved_ms = self._clock()

    def _beat(self) -> None:
        try:
            if not self._held and self._line.waiting() == 0:
                self.moved()
            if self._clock() - self._moved_ms > self._task_limit_ms:
                # It hangs, or messages wait and it takes none: for others it does not live.
                logger.error("no task has ended for %d ms, no heartbeat", self._task_limit_ms)
                return
            self.shadow = self._line.beat(
                self.worker,
                self._pace.rate,
                takes_default=self._takes_default,
                resident_bytes=resident_bytes(os.getpid()),
                digest=self._digest,
            )
            for request in self._held:
                self._line.renew(request.name, request.ticket)
        except RedisError as error:
            logger.warning("Redis is away, no heartbeat: %s", error)
