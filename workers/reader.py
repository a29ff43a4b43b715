"""The reader: executes one message, from permission to stored result."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model.errors import ImageUnreadable
from workers.contract.clock import Clock, Deadlines
from workers.contract.ledger import Ledger, Permission
from workers.contract.readiness import Readiness
from workers.contract.result import Outcome, Result
from workers.heartbeat import Heartbeat

if TYPE_CHECKING:
    # Engines come after the fork, and Flower, which imports the tasks, has none.
    from model.ensemble import Ensemble

logger = logging.getLogger(__name__)


class Reader:
    """One loaded ensemble and its way back to the callers."""

    def __init__(
        self,
        ensemble: Ensemble,
        ledger: Ledger,
        readiness: Readiness,
        heartbeat: Heartbeat,
        clock: Clock,
    ) -> None:
        self._ensemble = ensemble
        self._ledger = ledger
        self._readiness = readiness
        self._heartbeat = heartbeat
        self._clock = clock

    def read(
        self,
        uuid: str,
        *,
        image: str,
        fingerprint: str,
        place: int,
        sent_ms: int,
        deadlines: Deadlines,
    ) -> Mapping[str, Any]:
        """Execute a message if the ledger permits it.

        An engine that fails is a result too, but one that is not kept: a re-send tries again.

        Returns:
            What Flower shows as the task's result.
        """
        picked_up_ms = self._clock()
        permission = self._ledger.start(uuid, fingerprint, place)
        if permission is not Permission.RUN:
            return {"skipped": permission.value}
        with self._heartbeat.holding(uuid, place):
            began_ns = time.perf_counter_ns()
            outcome, text, members = self._compute(base64.b64decode(image))
            compute_us = (time.perf_counter_ns() - began_ns) // 1000
            finished_ms = self._clock()
            result = Result(
                outcome=outcome,
                text=text,
                bundle=self._ensemble.bundle.id,
                members=members,
                of_members=self._ensemble.size,
                queue_ms=max(0, picked_up_ms - sent_ms),
                compute_us=compute_us,
                finished_s=finished_ms // 1000,
            )
            self._ledger.finish(uuid, fingerprint, place, result)
        return {
            outcome.value: text,
            "compute_ms": compute_us // 1000,
            "late_ms": max(0, finished_ms - deadlines.answer_by_ms),
        }

    def probe(self) -> None:
        """Read a golden image and report that this worker is able to."""
        self._ensemble.check(self._ensemble.bundle.manifest.golden[0])
        self._readiness.completed()

    def _compute(self, image: bytes) -> tuple[Outcome, str, int]:
        try:
            reading = self._ensemble.read(image)
        except ImageUnreadable as error:
            return Outcome.UNREADABLE, str(error), 0
        except Exception:
            logger.exception("the engine failed")
            return Outcome.FAILED, "the engine failed on this image", 0
        return Outcome.ANSWERED, reading.answer, reading.members
