"""The feeder: keeps slices in line for what there is to do, whoever began it.

There is one in every worker process. So a job is gone on with for as long as any of them lives,
and one whose messages were lost with Redis or a worker is found again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from itertools import cycle

from redis import RedisError

from workers.contract.clock import Clock
from workers.contract.jobs import Jobs
from workers.contract.slices import Slices
from workers.contract.uploads import Uploads

logger = logging.getLogger(__name__)

_EVERY_S = 0.25
_FORGET_EVERY_MS = 60_000


class Feeder:
    """A daemon thread."""

    def __init__(
        self, algorithm: str, jobs: Jobs, uploads: Uploads, slices: Slices, clock: Clock
    ) -> None:
        self._algorithm = algorithm
        self._jobs = jobs
        self._uploads = uploads
        self._slices = slices
        self._clock = clock
        self._forgot_ms = 0
        self._stopped = False
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped = True
        self.hurry()
        self._thread.join()

    def hurry(self) -> None:
        """Have more slices offered, soon; whoever says so has better things to do."""
        self._due.set()

    def feed(self) -> None:
        """Offer slices of all open jobs in turn, until as many wait as can be worked on."""
        try:
            for job in cycle(self._jobs.due(self._algorithm)):
                if not self._slices.offer(job.id):
                    break
        except (RedisError, sqlite3.Error, OSError) as error:
            logger.warning("jobs have to wait: %s", error)

    def _run(self) -> None:
        while True:
            self._due.wait(_EVERY_S)
            self._due.clear()
            if self._stopped:
                return
            self.feed()
            if self._clock() - self._forgot_ms > _FORGET_EVERY_MS:
                self._forgot_ms = self._clock()
                self._forget()

    def _forget(self) -> None:
        try:
            self._jobs.forget()
            self._uploads.forget_expired()
        except (sqlite3.Error, OSError) as error:
            logger.warning("jobs are kept for longer: %s", error)
