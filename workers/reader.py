"""The reader: executes messages, from permission to stored result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from redis import RedisError

from workers.contract.clock import Clock
from workers.contract.line import Line, Permission, Turn
from workers.contract.message import ReadRequest
from workers.contract.result import Alternative, Outcome, Result
from workers.heartbeat import Heartbeat
from workers.members import Computed, Members
from workers.pace import Pace
from workers.scheduler import WHILE_NOBODY_WAITS, Scheduler
from workers.shadow import ReadingAlong
from workers.traces import Traces

if TYPE_CHECKING:
    # Engines come after the fork, and Flower, which imports the tasks, has none.
    from model.algorithm import Algorithm

logger = logging.getLogger(__name__)

# Of a probability; more says nothing, and is stored with every answer.
_DIGITS = 4

_NS_PER_MS = 1_000_000


class Read(NamedTuple):
    """``told``: what Flower shows as each task's result; ``following``: what is to be read next."""

    told: Sequence[Mapping[str, Any]]
    following: Sequence[ReadRequest] = ()


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
        self._members = Members(ensemble, pace, clock, self._waiting)
        # When the last message was done with.
        self._ended_ns = 0
        # So many messages were taken that are to be read next.
        self._in_hand = 0

    def read(
        self, requests: Sequence[ReadRequest], goes_on: Callable[[], bool] = lambda: False
    ) -> Read:
        """Execute messages as far as the ledger permits it, and store what came of them at once.

        An engine that fails is a result too, but one that is not kept: a re-send tries again.
        ``goes_on``: whether who calls would read what waits next, too, asked when these are read.
        """
        self._in_hand = 0
        asked_ns = time.perf_counter_ns()
        least_us = self._pace.least_us(len(requests))
        turns = self._line.start(requests, least_us, self._pace.byte_ns)
        fetched_us = (time.perf_counter_ns() - asked_ns) / 1000 / len(requests)
        told: dict[ReadRequest, Mapping[str, Any]] = {}
        running, partial = [], []
        for held in zip(requests, turns, strict=True):
            request, turn = held
            match turn.permission:
                case Permission.RUN:
                    running.append(held)
                case Permission.COMPLETE:
                    partial.append(held)
                case refusal:
                    self._account(request, refusal.value)
                    told[request] = {"skipped": refusal.value}
        following: Sequence[ReadRequest] = ()
        if running:
            done, following = self._run(running, asked_ns, fetched_us, goes_on)
            told.update(done)
        self._in_hand = len(following)
        for request, turn in partial:
            # Whoever waits goes first, and these are set aside again.
            told[request] = self._complete(request, turn, fetched_us)
        self._ended_ns = time.perf_counter_ns()
        return Read([told[request] for request in requests], following)

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

    def _run(
        self,
        held: Sequence[tuple[ReadRequest, Turn]],
        asked_ns: int,
        fetched_us: float,
        goes_on: Callable[[], bool],
    ) -> tuple[dict[ReadRequest, Mapping[str, Any]], Sequence[ReadRequest]]:
        requests, turns = [each[0] for each in held], [each[1] for each in held]
        with self._heartbeat.holding(requests):
            allowance = self._scheduler.allowance(turns)
            computed = self._members.ask([turn.image for turn in turns], allowance, fetched_us)
            results = [
                self._result(each, turn.waited_ms, request.trace)
                for each, (request, turn) in zip(computed, held, strict=True)
            ]
            following = self._line.finish(
                list(zip(requests, results, strict=True)), take=self._pace.most if goes_on() else 0
            )
        if asked_ns - self._ended_ns <= turns[0].waited_ms * _NS_PER_MS:
            self._learn_overhead(computed, fetched_us)
        told = {}
        for each, result, (request, turn) in zip(computed, results, held, strict=True):
            self._traces.read("read", result)
            if each.outcome is Outcome.ANSWERED and each.whole:
                self._along.show(
                    self._heartbeat.shadow, request.uuid, turn.image, each.text, each.took_us
                )
            late_ms = max(0, self._clock() - turn.answer_by_ms)
            told[request] = self._told(request, each, "answered", late_ms)
        return told, following

    def _complete(self, request: ReadRequest, turn: Turn, fetched_us: float) -> Mapping[str, Any]:
        """Read with all members what has an answer that stands, and whose caller has it."""
        (computed,) = self._members.ask([turn.image], WHILE_NOBODY_WAITS, fetched_us)
        if computed.outcome is Outcome.ANSWERED:
            result = self._result(computed, 0, request.trace)
            self._line.finish([(request, result)])
            self._traces.read("complete", result)
        return self._told(request, computed, "completed", 0)

    def _waiting(self) -> int:
        """How many others wait, in line or in hand.

        When Redis cannot tell: the members that were asked so far have to do.
        """
        try:
            return self._in_hand + self._line.waiting()
        except RedisError as error:
            logger.warning("Redis is away, stopping at an answer of some members: %s", error)
            return 1

    def _told(
        self, request: ReadRequest, computed: Computed, verb: str, late_ms: int
    ) -> Mapping[str, Any]:
        cost = {
            "members": f"{computed.members}/{self._ensemble.size}",
            "compute_ms": computed.took_us // 1000,
            "late_ms": late_ms,
        }
        outcome = verb if computed.outcome is Outcome.ANSWERED else computed.outcome.value
        self._account(request, outcome, cost)
        return {outcome: computed.text, **cost}

    def _account(
        self, request: ReadRequest, outcome: str, cost: Mapping[str, Any] | None = None
    ) -> None:
        """What Flower shows and forgets, but for the answer: logs lie about for long."""
        bundle = self._ensemble.bundle.id
        line = {"uuid": request.uuid, "bundle": bundle, "outcome": outcome, **(cost or {})}
        logger.info("uuid=%(uuid)s bundle=%(bundle)s outcome=%(outcome)s", line)

    def _result(self, computed: Computed, queue_ms: int, trace: str) -> Result:
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

    def _learn_overhead(self, computed: Sequence[Computed], fetched_us: float) -> None:
        """Of what has waited since the message before it ended, nothing else took its time."""
        took_us = (time.perf_counter_ns() - self._ended_ns) / 1000
        took_us -= sum(each.took_us + fetched_us for each in computed)
        self._pace.learn_overhead(max(0.0, took_us / len(computed)))
