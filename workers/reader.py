"""The reader: executes one message, from permission to stored result."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redis import RedisError

from model.errors import ImageUnreadable
from workers.contract.clock import Clock
from workers.contract.line import Line, Permission
from workers.contract.message import ReadRequest
from workers.contract.result import Alternative, Outcome, Result, Stop
from workers.heartbeat import Heartbeat
from workers.scheduler import WHILE_NOBODY_WAITS, Allowance, Pace, Scheduler
from workers.shadow import ReadingAlong
from workers.traces import Traces

if TYPE_CHECKING:
    # Engines come after the fork, and Flower, which imports the tasks, has none.
    from model.algorithm import Algorithm
    from model.ensemble import Reading

logger = logging.getLogger(__name__)

# Of a probability; more says nothing, and is stored with every answer.
_DIGITS = 4


class _Computed(NamedTuple):
    """What came of the members that were asked, and how long it took in microseconds.

    ``decoded_us`` is what the image took before that, the way here included. ``stopped`` says why
    no further member was asked, of an answer.
    """

    outcome: Outcome
    text: str
    members: int
    whole: bool
    took_us: int
    decoded_us: float
    stopped: str
    reading: Reading | None


class Read(NamedTuple):
    """``told``: what Flower shows as the task's result; ``following``: what is to be read next."""

    told: Mapping[str, Any]
    following: ReadRequest | None = None


class Reader:
    """One loaded algorithm and its way back to the callers."""

    def __init__(
        self,
        ensemble: Algorithm,
        line: Line,
        heartbeat: Heartbeat,
        scheduler: Scheduler,
        pace: Pace,
        clock: Clock,
        along: ReadingAlong,
        traces: Traces,
    ) -> None:
        self._ensemble = ensemble
        self._along = along
        self._traces = traces
        self._line = line
        self._heartbeat = heartbeat
        self._scheduler = scheduler
        self._pace = pace
        self._clock = clock
        # When the last message was done with, if another one was waiting by then.
        self._busy_since_ns: int | None = None

    def read(self, request: ReadRequest, *, goes_on: bool = False) -> Read:
        """Execute a message if the ledger permits it.

        An engine that fails is a result too, but one that is not kept: a re-send tries again.
        ``goes_on``: who calls would read the next one that waits, too.
        """
        uuid, ticket, trace, _ = request
        name, following = request.name, None
        asked_ns = time.perf_counter_ns()
        turn = self._line.start(name, ticket, self._pace.least_us, self._pace.byte_ns)
        fetched_us = (time.perf_counter_ns() - asked_ns) / 1000
        match turn.permission:
            case Permission.RUN:
                with self._heartbeat.holding(name, ticket):
                    computed = self._compute(
                        turn.image, self._scheduler.allowance(turn), fetched_us
                    )
                    result = self._result(computed, turn.waited_ms, trace)
                    following = self._line.finish(name, ticket, result, goes_on=goes_on)
                self._traces.read("read", result)
                self._learn_overhead(computed, turn.waiting)
                if computed.outcome is Outcome.ANSWERED and computed.whole:
                    self._along.show(
                        self._heartbeat.shadow, uuid, turn.image, computed.text, computed.took_us
                    )
                late_ms, verb = max(0, self._clock() - turn.answer_by_ms), "answered"
            case Permission.COMPLETE:
                # Of an answer that stands, and whose caller has it.
                computed = self._compute(turn.image, WHILE_NOBODY_WAITS, fetched_us)
                if computed.outcome is Outcome.ANSWERED:
                    result = self._result(computed, 0, trace)
                    self._line.finish(name, ticket, result)
                    self._traces.read("complete", result)
                late_ms, verb = 0, "completed"
            case refusal:
                self._account(uuid, refusal.value, {})
                return Read({"skipped": refusal.value})
        cost = {
            "members": f"{computed.members}/{self._ensemble.size}",
            "compute_ms": computed.took_us // 1000,
            "late_ms": late_ms,
        }
        outcome = verb if computed.outcome is Outcome.ANSWERED else computed.outcome.value
        self._account(uuid, outcome, cost)
        return Read({outcome: computed.text, **cost}, following)

    def read_along(self, ticket: str) -> str:
        """Read what another version has answered; see ``ReadingAlong.read``."""
        return self._along.read(ticket)

    def probe(self) -> None:
        """Begin to read a golden image and report that this worker is able to.

        One member proves the path as well as all of them, and a caller who comes meanwhile waits
        for one at the most.
        """
        self._ensemble.probe()
        self._line.probed()

    def _compute(self, image: bytes, allowance: Allowance, fetched_us: float) -> _Computed:
        """Ask one member after another, as far as it helps and the allowance goes."""
        express = self._ensemble.express if allowance.express else None
        began_ns = time.perf_counter_ns()
        outcome, text, members, whole, stopped = Outcome.ANSWERED, "", 0, True, ""
        decoded_us = 0.0
        reading: Reading | None = None
        try:
            try:
                readings = (express or self._ensemble).readings(image)
            finally:
                asked_ns = time.perf_counter_ns()
                decoded_us = fetched_us + (asked_ns - began_ns) / 1000
                self._pace.learn_bytes(len(image), decoded_us)
            for reading in readings:
                grown = reading.members > members
                # Of a sheet the first member costs the most: an answer costs as much at the least.
                if express:
                    self._pace.learn_express((time.perf_counter_ns() - asked_ns) / 1000)
                elif grown and (members == 0 or reading.next_share == 1):
                    self._pace.learn_member((time.perf_counter_ns() - asked_ns) / 1000)
                text, members, whole = reading.answer, reading.members, reading.settled
                if express:
                    stopped = Stop.EXPRESS
                    break
                if whole:
                    stopped = Stop.ALL if members == self._ensemble.size else Stop.SETTLED
                    break
                next_us = self._pace.member_us * reading.next_share
                if not allowance.permits(next_us, self._clock(), self._waiting):
                    stopped = allowance.bound
                    break
                if grown:
                    asked_ns = time.perf_counter_ns()
        except ImageUnreadable as error:
            outcome, text, members, whole = Outcome.UNREADABLE, str(error), 0, True
            reading = None
        except Exception:
            logger.exception("the engine failed")
            outcome, text = Outcome.FAILED, "the engine failed on this image"
            members, whole, reading = 0, True, None
        took_us = (time.perf_counter_ns() - began_ns) // 1000
        return _Computed(outcome, text, members, whole, took_us, decoded_us, stopped, reading)

    def _waiting(self) -> int:
        """How many others wait. When Redis cannot tell: the members asked so far have to do."""
        try:
            return self._line.waiting()
        except RedisError as error:
            logger.warning("Redis is away, stopping at an answer of some members: %s", error)
            return 1

    def _account(self, uuid: str, outcome: str, cost: Mapping[str, Any]) -> None:
        """What Flower shows and forgets, but for the answer: logs lie about for long."""
        line = {"uuid": uuid, "bundle": self._ensemble.bundle.id, "outcome": outcome, **cost}
        logger.info("uuid=%(uuid)s bundle=%(bundle)s outcome=%(outcome)s", line)

    def _result(self, computed: _Computed, queue_ms: int, trace: str) -> Result:
        now_ms = self._clock()
        confidence = alternatives = None
        if computed.reading is not None:
            confidence = round(computed.reading.probability, _DIGITS)
            alternatives = tuple(
                Alternative(text, round(probability, _DIGITS))
                for text, probability in computed.reading.alternatives
            )
        return Result(
            outcome=computed.outcome,
            text=computed.text,
            bundle=self._ensemble.bundle.id,
            members=computed.members,
            of_members=self._ensemble.size,
            whole=computed.whole,
            queue_ms=queue_ms,
            compute_us=computed.took_us,
            finished_s=now_ms // 1000,
            stopped=computed.stopped,
            worker=self._heartbeat.worker,
            digest=self._ensemble.bundle.digest,
            ended_ms=now_ms,
            output=computed.reading.output if computed.reading else None,
            finding_us=computed.reading.finding_us if computed.reading else 0,
            confidence=confidence,
            alternatives=alternatives,
            trace=trace,
        )

    def _learn_overhead(self, computed: _Computed, waiting: int) -> None:
        """While messages wait, what members and bytes do not take is overhead.

        Messages that were skipped in between are part of it.
        """
        now_ns = time.perf_counter_ns()
        if self._busy_since_ns is not None:
            took_us = (now_ns - self._busy_since_ns) / 1000 - computed.decoded_us
            if computed.stopped == Stop.EXPRESS:
                took_us -= self._pace.cheapest_us
            else:
                took_us -= computed.members * self._pace.member_us
            self._pace.learn_overhead(max(0.0, took_us))
        self._busy_since_ns = now_ns if waiting else None
