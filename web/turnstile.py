"""The turnstile: turns away, at a glance, whom the ledger would refuse.

A refusal of the ledger speaks for all calls with no more time than the one that it was for: they
are as good as refused. Every moment one is let in to ask again; when it is taken, the way is free.
Whoever asks for what is kept or under way is let through.

And only so many go in at a time. The others wait here, where it costs nothing to find that their
time is up.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from typing import NamedTuple

import gevent
from gevent import Greenlet, getcurrent
from gevent.lock import BoundedSemaphore

from web.acquaintance import Acquaintance
from web.arrival import arrival
from web.glance import Glance
from web.metrics import Metrics
from web.problems import FrontBusy, Problem
from web.settings import WebSettings
from workers.contract.clock import Clock

logger = logging.getLogger(__name__)

_ASK_AGAIN_MS = 50
# Unless another one follows, a refusal says nothing of what comes later.
_SPEAKS_FOR_MS = 500

# On their way from the door to the ledger's verdict: enough to keep the front busy.
_ENTERING = 8

# Nobody comes in who would wait for a turn for a larger part of its time: a fourth.
_WAITS_A = 4
_LEARN = 0.1

_TELL_EVERY_MS = 1_000


class Refusal(NamedTuple):
    """What to tell a call that need not come in; whose it is, where that was looked for."""

    problem: Problem
    uuid: str | None = None


class Turnstile:
    """One for each front process."""

    def __init__(
        self, acquaintance: Acquaintance, metrics: Metrics, settings: WebSettings, clock: Clock
    ) -> None:
        self._acquaintance = acquaintance
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        # One for all, so that a lot is refused with it together.
        self._busy = FrontBusy()
        self._latest: Problem | None = None
        self._ask_again_ms = self._over_ms = self._for_ms = self._let_in_ms = 0
        self._late_until_ms = 0
        self._asks: Greenlet | None = None
        self._entering: set[Greenlet] = set()
        self._waiting = 0
        # Between the ends of two turns while others wait: how fast those get theirs, on average.
        self._pace_ms, self._ended_ms = 0.0, 0
        self._turns = BoundedSemaphore(_ENTERING)
        self._untold: Counter[str] = Counter()
        self._told_ms = 0

    def refusal(self, glance: Glance, connection: socket.socket) -> Refusal | None:
        """What to tell the current call. None lets it in, when it is its turn."""
        if not glance.asks_inference:
            return None
        left_ms = self.left_ms(glance, connection)
        # Its caller has given up or is about to; a re-send finds its uuid as it is.
        refusal: Refusal | None = Refusal(FrontBusy())
        if left_ms > 0:
            # Whatever holds up those before it, or Redis, its time ends.
            with gevent.Timeout(left_ms / 1000, False):
                refusal = self._refusal(glance, left_ms)
        if refusal is not None:
            self.is_in()
            self.account(refusal.problem)
        return refusal

    @property
    def is_shut(self) -> bool:
        """Whether some who come now would wait or be refused."""
        now_ms = self._clock()
        refuses = self._latest is not None and now_ms < self._over_ms
        return refuses or self._is_crowded or now_ms < self._late_until_ms

    def left_ms(self, glance: Glance, connection: socket.socket) -> int:
        """How long its caller still waits, as the kernel tells; none at all is remembered."""
        left_ms = self._wait_ms(glance) - arrival(connection).age_ms
        if left_ms <= 0:
            self._late_until_ms = self._clock() + _SPEAKS_FOR_MS
        return left_ms

    def shut_to(self, glance: Glance, left_ms: int, ahead: int) -> Problem | None:
        """What a call is refused with that has just come, unless its request is known.

        ``ahead``: so many were let in that have not come to the turnstile yet.
        """
        if not glance.asks_inference:
            return None
        problem = self._problem(self._wait_ms(glance), left_ms, ahead)
        if problem is not None and problem is self._latest:
            now_ms = self._clock()
            if now_ms >= max(self._ask_again_ms, self._let_in_ms + _ASK_AGAIN_MS):
                self._let_in_ms = now_ms
                return None
        return problem

    def note(self, problem: Problem, wait_ms: int) -> None:
        """A new request that had so much time was refused."""
        self._latest, self._for_ms = problem, wait_ms
        now_ms = self._clock()
        self._ask_again_ms, self._over_ms = now_ms + _ASK_AGAIN_MS, now_ms + _SPEAKS_FOR_MS

    def is_in(self, *, taken: bool = False) -> None:
        """The current call has its verdict, or ends without one; the next may enter.

        ``taken``: it was new, and put in line.
        """
        current = getcurrent()
        if current is self._asks:
            self._asks = None
            if taken:
                self._latest = None
        if current in self._entering:
            self._entering.discard(current)
            self._turns.release()
            self._learn_pace()

    def _refusal(self, glance: Glance, left_ms: int) -> Refusal | None:
        uuid, passes = None, False
        wait_ms = self._wait_ms(glance)
        if self.is_shut:
            glance.await_rest()
            uuid = glance.uuid
            passes = uuid is not None and self._acquaintance.knows(uuid)
            problem = None if passes else self._problem(wait_ms, left_ms)
            if problem is not None and not (problem is self._latest and self._may_ask()):
                return Refusal(problem, uuid)
        # Of a request that is not wholly here nobody knows how long it would take a turn.
        if glance.is_whole:
            self._await_turn()
        # While it waited, somebody else may have been refused.
        if not passes and getcurrent() is not self._asks and (latest := self._closed_by(wait_ms)):
            return Refusal(latest, uuid)
        return None

    def _await_turn(self) -> None:
        if not self._waiting:
            self._ended_ms = self._clock()
        self._waiting += 1
        try:
            self._turns.acquire()
        finally:
            self._waiting -= 1
        self._entering.add(getcurrent())

    def _learn_pace(self) -> None:
        now_ms = self._clock()
        if self._waiting:
            self._pace_ms += (now_ms - self._ended_ms - self._pace_ms) * _LEARN
        self._ended_ms = now_ms

    def _wait_ms(self, glance: Glance) -> int:
        return glance.wait_ms or self._settings.answer_within_ms

    @property
    def _is_crowded(self) -> bool:
        return bool(self._turns.locked())

    def _problem(self, wait_ms: int, left_ms: int, ahead: int = 0) -> Problem | None:
        """Why a call that had so much time, and has that left, need not come in."""
        if (self._waiting + ahead) * self._pace_ms > left_ms / _WAITS_A:
            return self._busy
        return self._closed_by(wait_ms)

    def _closed_by(self, wait_ms: int) -> Problem | None:
        """The latest refusal, if it speaks for a call with so much time."""
        speaks = wait_ms <= self._for_ms and self._clock() < self._over_ms
        return self._latest if speaks else None

    def _may_ask(self) -> bool:
        """Whether it is time for one to ask; who comes after it goes by the latest refusal."""
        now_ms = self._clock()
        if now_ms < self._ask_again_ms:
            return False
        self._ask_again_ms, self._asks = now_ms + _ASK_AGAIN_MS, getcurrent()
        return True

    def account(self, problem: Problem, count: int = 1) -> None:
        """One line a second: a line for each would cost more than the refusal."""
        self._metrics.count_refusals(problem.status, problem.type, count)
        self._untold[problem.type] += count
        now_ms = self._clock()
        if now_ms - self._told_ms >= _TELL_EVERY_MS:
            told = ", ".join(f"{type_} {count}" for type_, count in self._untold.items())
            logger.warning("turned away at the door: %s", told)
            self._untold.clear()
            self._told_ms = now_ms
