"""The reader: executes one message, from permission to stored result."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redis import Redis

from model.errors import ImageUnreadable
from workers.contract.clock import Clock
from workers.contract.ledger import Ledger, Permission
from workers.contract.queue import ImageMessage
from workers.contract.readiness import Readiness
from workers.contract.result import Outcome, Result
from workers.heartbeat import Heartbeat
from workers.scheduler import WHILE_NOBODY_WAITS, Allowance, Pace, Scheduler

if TYPE_CHECKING:
    # Engines come after the fork, and Flower, which imports the tasks, has none.
    from model.ensemble import Ensemble

logger = logging.getLogger(__name__)


class _Computed(NamedTuple):
    """What came of the members that were asked, and how long it took in microseconds."""

    outcome: Outcome
    text: str
    members: int
    whole: bool
    took_us: int


class Reader:
    """One loaded ensemble and its way back to the callers."""

    def __init__(
        self,
        ensemble: Ensemble,
        redis: Redis,
        ledger: Ledger,
        readiness: Readiness,
        heartbeat: Heartbeat,
        scheduler: Scheduler,
        pace: Pace,
        max_queue: int,
        clock: Clock,
    ) -> None:
        self._ensemble = ensemble
        self._redis = redis
        self._ledger = ledger
        self._readiness = readiness
        self._heartbeat = heartbeat
        self._scheduler = scheduler
        self._pace = pace
        self._max_queue = max_queue
        self._clock = clock
        # When the last message was done with, if another one was waiting by then.
        self._busy_since_ns: int | None = None

    def read(self, message: ImageMessage) -> Mapping[str, Any]:
        """Execute a message if the ledger permits it.

        An engine that fails is a result too, but one that is not kept: a re-send tries again.

        Returns:
            What Flower shows as the task's result.
        """
        picked_up_ms = self._clock()
        turn = self._ledger.start(message.image_key, message.place, self._pace.least_ms)
        if turn.permission is not Permission.RUN:
            if turn.permission is Permission.LATE:
                message.set_aside(self._redis, self._max_queue)
            return {"skipped": turn.permission.value}
        with self._heartbeat.holding(message.image_key, message.place):
            computed = self._compute(
                message.image, self._scheduler.allowance(turn, message.sent_ms)
            )
            result = self._result(computed, queue_ms=max(0, picked_up_ms - message.sent_ms))
            self._finish(message, result)
        self._learn_overhead(computed.members, turn.waiting)
        return {
            computed.outcome.value: computed.text,
            "members": f"{computed.members}/{self._ensemble.size}",
            "compute_ms": computed.took_us // 1000,
            "late_ms": max(0, self._clock() - turn.answer_by_ms),
        }

    def complete(self, message: ImageMessage) -> None:
        """Make a partial answer whole, if that is still useful and nobody waits for a worker."""
        if self._clock() > message.deadlines.useful_until_ms:
            return
        computed = self._compute(message.image, WHILE_NOBODY_WAITS)
        if computed.outcome is Outcome.ANSWERED:
            self._finish(message, self._result(computed, queue_ms=0))

    def probe(self) -> None:
        """Read a golden image and report that this worker is able to."""
        self._ensemble.check(self._ensemble.bundle.manifest.golden[0])
        self._readiness.completed()

    def _compute(self, image: str, allowance: Allowance) -> _Computed:
        """Ask one member after another, as far as it helps and the allowance goes."""
        began_ns = time.perf_counter_ns()
        outcome, text, members, whole = Outcome.ANSWERED, "", 0, True
        try:
            readings = self._ensemble.readings(base64.b64decode(image))
            asked_ns = time.perf_counter_ns()
            for reading in readings:
                self._pace.learn_member((time.perf_counter_ns() - asked_ns) / 1000)
                text, members, whole = reading.answer, reading.members, reading.settled
                if whole or not allowance.permits(
                    self._pace.member_us, self._clock(), self._ledger.waiting
                ):
                    break
                asked_ns = time.perf_counter_ns()
        except ImageUnreadable as error:
            outcome, text, members, whole = Outcome.UNREADABLE, str(error), 0, True
        except Exception:
            logger.exception("the engine failed")
            outcome, text = Outcome.FAILED, "the engine failed on this image"
            members, whole = 0, True
        took_us = (time.perf_counter_ns() - began_ns) // 1000
        return _Computed(outcome, text, members, whole, took_us)

    def _finish(self, message: ImageMessage, result: Result) -> None:
        """Store the result; one of fewer members than could matter asks for a completion."""
        completion = "" if result.whole else message.completion()
        self._ledger.finish(message.image_key, message.place, result, completion)

    def _result(self, computed: _Computed, queue_ms: int) -> Result:
        return Result(
            outcome=computed.outcome,
            text=computed.text,
            bundle=self._ensemble.bundle.id,
            members=computed.members,
            of_members=self._ensemble.size,
            whole=computed.whole,
            queue_ms=queue_ms,
            compute_us=computed.took_us,
            finished_s=self._clock() // 1000,
        )

    def _learn_overhead(self, members: int, waiting: int) -> None:
        """While messages wait, whatever time the members do not take is overhead."""
        now_ns = time.perf_counter_ns()
        if self._busy_since_ns is not None:
            took_us = (now_ns - self._busy_since_ns) / 1000
            self._pace.learn_overhead(max(0.0, took_us - members * self._pace.member_us))
        self._busy_since_ns = now_ns if waiting else None
