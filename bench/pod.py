"""A pod in virtual time: one worker process, of which only the computing is made up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis import Redis

from bench.timeline import Timeline
from workers.contract import keys
from workers.contract.line import Line, Permission, Turn
from workers.contract.message import ReadRequest
from workers.contract.result import Outcome, Result
from workers.pace import Pace
from workers.scheduler import WHILE_NOBODY_WAITS, Allowance, Scheduler

_SPREAD = 0.1


class Ensemble(NamedTuple):
    """What a member takes on a pod's core, give or take a tenth. None settles an image alone."""

    members: int
    member_us: float


@dataclass
class _Work:
    """A message in hands; without another allowance, while nobody waits."""

    request: ReadRequest
    began_ms: float
    turn: Turn
    members: int = 0
    allowance: Allowance = WHILE_NOBODY_WAITS


class Pod:
    """Takes messages from when it has begun until it is told to leave.

    ``told`` hears of each result, by its uuid; ``gone`` when the last one is out.
    """

    def __init__(
        self,
        redis: Redis,
        line: Line,
        ensemble: Ensemble,
        timeline: Timeline,
        chance: random.Random,
        told: Callable[[str, Result], None],
        gone: Callable[[Pod], None],
    ) -> None:
        self.ready = self.leaving = False
        self.busy_ms = 0.0
        self._redis, self._line, self._ensemble = redis, line, ensemble
        self._queues = [
            keys.of(line.name, key) for key in (keys.INFERENCE, keys.LATE, keys.PARTIAL)
        ]
        self._timeline, self._chance = timeline, chance
        self._told, self._gone = told, gone
        self._pace = Pace(round(ensemble.member_us))
        self._scheduler = Scheduler(self._pace, timeline.clock)
        self._busy = False

    def begin(self) -> None:
        """Its ensemble is loaded."""
        if not self.leaving:
            self.ready = True
            self.beat()
            self.take()

    def beat(self) -> None:
        """It lives, if it does."""
        if self.ready and not self.leaving:
            self._line.beat(f"pod:{id(self)}", self._pace.rate, takes_default=False)

    def leave(self) -> None:
        """SIGTERM: what is under way is finished."""
        self.leaving = True
        if self.ready:
            self._line.leave(f"pod:{id(self)}")
        if not self._busy:
            self._gone(self)

    @property
    def free(self) -> bool:
        """Whether it would take a message."""
        return self.ready and not self._busy and not self.leaving

    def take(self) -> None:
        """The next message, as Celery takes it: of the first queue that has one."""
        for queue in self._queues:
            text: Any = self._redis.rpop(queue)
            if text is not None:
                self._start(ReadRequest.parse(text))
                return

    def _start(self, request: ReadRequest) -> None:
        self._busy = True
        (turn,) = self._line.start([request], self._pace.least_us(1), self._pace.byte_ns)
        work = _Work(request, self._timeline.now_ms, turn)
        if turn.permission is Permission.RUN:
            work.allowance = self._scheduler.allowance([turn])
        if turn.permission in (Permission.RUN, Permission.COMPLETE):
            self._ask(work)
        else:
            self._timeline.after(self._pace.overhead_us / 1000, lambda: self._free(work))

    def _ask(self, work: _Work) -> None:
        """One more member."""
        took_us = self._ensemble.member_us * self._chance.uniform(1 - _SPREAD, 1 + _SPREAD)

        def answered() -> None:
            self._pace.learn_member(took_us)
            work.members += 1
            now_ms, member_us = self._timeline.clock(), self._pace.member_us
            if work.members < self._ensemble.members and work.allowance.permits(
                member_us, now_ms, self._line.waiting
            ):
                self._ask(work)
            else:
                self._timeline.after(self._pace.overhead_us / 1000, lambda: self._finish(work))

        self._timeline.after(took_us / 1000, answered)

    def _finish(self, work: _Work) -> None:
        now_ms = self._timeline.now_ms
        result = Result(
            outcome=Outcome.ANSWERED,
            text="",
            bundle=self._line.name,
            members=work.members,
            of_members=self._ensemble.members,
            whole=work.members == self._ensemble.members,
            queue_ms=work.turn.waited_ms,
            compute_us=round((now_ms - work.began_ms) * 1000),
            finished_s=round(now_ms / 1000),
        )
        self._line.finish([(work.request, result)])
        self._told(work.request.uuid, result)
        self._free(work)

    def _free(self, work: _Work) -> None:
        self._busy = False
        self.busy_ms += self._timeline.now_ms - work.began_ms
        if self.leaving:
            self._gone(self)
        else:
            self.take()
