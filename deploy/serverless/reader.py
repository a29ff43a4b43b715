"""The reader: one ensemble, which reads one image after the other, each while its caller waits."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from model.errors import ImageUnreadable
from web.problems import LineFull
from workers.contract.clock import Clock
from workers.contract.result import Outcome, Result

if TYPE_CHECKING:
    from model.ensemble import Ensemble

logger = logging.getLogger(__name__)

# A line is as long as callers are patient: about a second.
_RETRY_AFTER_S = 1


class Reader:
    """Whoever comes while an image is read waits for its turn, in this process.

    Lambda never lets one wait, SageMaker does. Locks are those of threads: where there is no
    ``/dev/shm``, as in Lambda, those between processes cannot be made.
    """

    def __init__(self, ensemble: Ensemble, clock: Clock) -> None:
        self._ensemble = ensemble
        self._clock = clock
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0

    @property
    def bundle(self) -> str:
        """What it reads with, as ``name/version``."""
        return self._ensemble.bundle.id

    def read(self, image: bytes, until_ms: int) -> Result:
        """Ask one member at least, and others as long as they end by ``until_ms``.

        Those who wait behind it are to have as much of what is left as this one.

        Raises:
            LineFull: its time was over before it had its turn.
        """
        came_ms = self._clock()
        self._count(1)
        with self._turn:
            self._count(-1)
            now_ms = self._clock()
            if now_ms >= until_ms:
                raise LineFull(_RETRY_AFTER_S)
            share_ms = (until_ms - now_ms) // (1 + self._waiting)
            return self._compute(image, now_ms + share_ms, now_ms - came_ms)

    def _count(self, more: int) -> None:
        with self._counting:
            self._waiting += more

    def _compute(self, image: bytes, until_ms: int, queue_ms: int) -> Result:
        began_ns, asked_ms = time.perf_counter_ns(), self._clock()
        outcome, text, members, whole = Outcome.ANSWERED, "", 0, True
        slowest_ms = 0
        try:
            for reading in self._ensemble.readings(image):
                text, members, whole = reading.answer, reading.members, reading.settled
                now_ms = self._clock()
                slowest_ms = max(slowest_ms, now_ms - asked_ms)
                if whole or now_ms + slowest_ms > until_ms:
                    break
                asked_ms = now_ms
        except ImageUnreadable as error:
            outcome, text, members, whole = Outcome.UNREADABLE, str(error), 0, True
        except Exception:
            logger.exception("the engine failed")
            outcome, text = Outcome.FAILED, "the engine failed on this image"
            members, whole = 0, True
        return Result(
            outcome=outcome,
            text=text,
            bundle=self.bundle,
            members=members,
            of_members=self._ensemble.size,
            whole=whole,
            queue_ms=queue_ms,
            compute_us=(time.perf_counter_ns() - began_ns) // 1000,
            finished_s=self._clock() // 1000,
        )
