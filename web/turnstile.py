"""The turnstile: turns away, at a glance, whom the ledger would refuse.

The latest refusal is the precedent for who comes after it. Whoever asks for what is kept or under
way is let through.

And only so many go in at a time, the hurried before the patient. The others wait here, where it
costs nothing to find that their time is up.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import gevent
from gevent import Greenlet, getcurrent

from web.acquaintance import Acquaintance
from web.glance import Glance
from web.metrics import Metrics
from web.precedent import Precedents, Speaking
from web.problem import Problem
from web.problems import FrontBusy
from web.settings import WebSettings
from web.turns import Turns
from web.witness import Witness
from workers.contract.clock import Clock

logger = logging.getLogger(__name__)

# Images above are large, in bytes: they cost by their size.
SMALL_BYTES = 32_000

# A front that finds calls too late is behind for a moment.
_BEHIND_FOR_MS = 500

# On their way from the door to the ledger's verdict: enough to keep the front busy.
_ENTERING = 8

_CHANCE_EVERY_S = 0.02

# Nobody comes in who would wait for a turn for so long that less than this is left for the answer.
# Whoever has not even this waits for a fourth of its time.
_ANSWER_TAKES_MS = 675
_WAITS_A = 4
# Where calls like it were refused lately, a small one learns soon that it is one of them.
_BRISK_MS = 60
_LEARN = 0.1

_TELL_EVERY_MS = 1_000


class Refusal(NamedTuple):
    """What to tell a call that need not come in; whose it is, where that was looked for."""

    problem: Problem
    uuid: str | None = None


class Turnstile:
    """One for each front process."""

    def __init__(
        self,
        acquaintance: Acquaintance,
        metrics: Metrics,
        witness: Witness,
        settings: WebSettings,
        clock: Clock,
        steady: Clock,
    ) -> None:
        """``clock``: in epoch milliseconds, for when a call came; ``steady``: for all else."""
        self._acquaintance = acquaintance
        self._metrics = metrics
        self._witness = witness
        self._settings = settings
        self._wall = clock
        self._clock = steady
        # One for all, so that a lot is refused with it together.
        self._busy = FrontBusy()
        self._precedents = Precedents(steady)
        self._behind_until_ms = 0
        self._entering: set[Greenlet] = set()
        # Between the ends of two turns while others wait: how fast those get theirs, on average.
        self._pace_ms, self._ended_ms = 0.0, 0
        self._turns = Turns(_ENTERING)
        self._untold: Counter[str] = Counter()
        self._told_ms = 0

    def refusal(self, glance: Glance) -> Refusal | None:
        """What to tell the current call. None lets it in, when it is its turn."""
        if not glance.asks_inference:
            return None
        left_ms = self.left_ms(glance)
        # Its caller has given up or is about to; a re-send finds its uuid as it is.
        refusal: Refusal | None = Refusal(FrontBusy())
        if left_ms > 0 and not self.is_shut:
            refusal = self._refusal(glance, left_ms)
        elif left_ms > 0:
            # Whatever holds up those before it, or Redis, its time ends.
            with gevent.Timeout(left_ms / 1000, False):
                refusal = self._refusal(glance, left_ms)
        if refusal is not None:
            self.is_in()
            self.account(refusal.problem, [glance])
        return refusal

    @property
    def is_shut(self) -> bool:
        """Whether some who come now would wait or be refused."""
        is_behind = self._clock() < self._behind_until_ms
        return self._precedents.are_in_force or self._is_crowded or is_behind

    def left_ms(self, glance: Glance) -> int:
        """How long its caller still waits, as the kernel tells; none at all is remembered."""
        now_ms, age_ms = self._clock(), glance.arrival().age_ms
        glance.arrived_ms = self._wall() - age_ms
        left_ms = self._wait_ms(glance) - age_ms
        if left_ms <= 0:
            self._behind_until_ms = now_ms + _BEHIND_FOR_MS
        return left_ms

    def shut_to(self, glance: Glance, left_ms: int, ahead: int) -> Problem | None:
        """What a call is refused with that has just come, unless its request is known.

        ``ahead``: so many were let in before it that have no more time and have not come here yet.
        """
        if not glance.asks_inference:
            return None
        if self._is_too_long(glance, left_ms, ahead):
            return self._busy
        found = self._speaking(glance)
        return None if found is None or found.precedent.calls_one() else found.problem

    def note(self, problem: Problem, wait_ms: int, algorithm: str | None, image_bytes: int) -> None:
        """A new request of such an image, that had so much time, was refused."""
        self._precedents.note(problem, wait_ms, algorithm, large=image_bytes > SMALL_BYTES)

    def is_in(self) -> None:
        """The current call has its verdict, or ends without one; the next may enter."""
        self._precedents.end()
        current = getcurrent()
        if current in self._entering:
            self._entering.discard(current)
            self._learn_pace()
            self._turns.give_back()

    def tell_shut(self, span_ms: int) -> None:
        """For so long the kernel has refused whoever came."""
        self._metrics.count_shut(span_ms)

    def _refusal(self, glance: Glance, left_ms: int) -> Refusal | None:
        uuid, passes = None, False
        if self.is_shut:
            glance.await_rest()
            uuid, call = glance.uuid, glance.call
            passes = call is not None and self._acquaintance.knows(call)
            if not passes and self._is_too_long(glance, left_ms):
                return Refusal(self._busy, uuid)
            if not passes and (problem := self._await_chance(glance, left_ms)):
                return Refusal(problem, uuid)
        # Of a request that is not wholly here nobody knows how long it would take a turn.
        within_ms = left_ms if passes else self._waits_ms(glance, left_ms)
        if glance.is_whole and not self._await_turn(left_ms, within_ms):
            return Refusal(self._busy, uuid)
        # While it waited, somebody else may have been refused.
        if passes or self._precedents.are_asked:
            return None
        found = self._speaking(glance)
        return Refusal(found.problem, uuid) if found else None

    def _await_chance(self, glance: Glance, left_ms: int) -> Problem | None:
        """By precedent it is refused, unless it may ask or the way becomes free.

        Whoever has much to send waits for that a while: to send it again costs both sides more.
        """
        until_ms = self._clock() + (left_ms // _WAITS_A if glance.is_large else 0)
        while found := self._speaking(glance):
            if found.precedent.lets_ask():
                return None
            if self._clock() >= until_ms:
                return found.problem
            gevent.sleep(_CHANCE_EVERY_S)
        return None

    def _await_turn(self, left_ms: int, within_ms: int) -> bool:
        now_ms = self._clock()
        if not self._turns.are_awaited:
            self._ended_ms = now_ms
        if not self._turns.take(now_ms + left_ms, within_ms):
            return False
        self._entering.add(getcurrent())
        return True

    def _learn_pace(self) -> None:
        now_ms = self._clock()
        if self._turns.are_awaited:
            self._pace_ms += (now_ms - self._ended_ms - self._pace_ms) * _LEARN
        self._ended_ms = now_ms

    def _wait_ms(self, glance: Glance) -> int:
        return glance.wait_ms or self._settings.answer_within_ms

    @property
    def _is_crowded(self) -> bool:
        return self._turns.are_taken

    def _is_too_long(self, glance: Glance, left_ms: int, ahead: int = 0) -> bool:
        """Whether a call with so much time left would wait too long for its turn."""
        before = self._turns.before(self._clock() + left_ms)
        # Into a free turn nobody waits, however slow they were when they were last awaited.
        ahead -= self._turns.free
        return (before + ahead) * self._pace_ms > self._waits_ms(glance, left_ms)

    def _waits_ms(self, glance: Glance, left_ms: int) -> int:
        """How long a call with so much time left may wait for its turn."""
        most_ms = max(left_ms // _WAITS_A, left_ms - _ANSWER_TAKES_MS)
        if glance.is_large:
            return most_ms
        spoke = self._precedents.spoke(self._wait_ms(glance), glance.algorithm)
        return min(most_ms, _BRISK_MS) if spoke else most_ms

    def _speaking(self, glance: Glance) -> Speaking | None:
        return self._precedents.speaking(
            self._wait_ms(glance), glance.algorithm, large=glance.is_large
        )

    def account(self, problem: Problem, refused: Sequence[Glance]) -> None:
        """One line a second: a line for each would cost more than the refusal."""
        calls = defaultdict(list)
        for glance in refused:
            calls[glance.algorithm].append(glance)
        for algorithm, of_one in calls.items():
            name = self._metrics.count_refusals(
                algorithm, problem.status, problem.type, len(of_one)
            )
            self._witness.turned_away(problem, name, of_one)
        self._untold[problem.type] += len(refused)
        now_ms = self._clock()
        if now_ms - self._told_ms >= _TELL_EVERY_MS:
            told = ", ".join(f"{type_} {count}" for type_, count in self._untold.items())
            # Before the log, where others get their turn.
            self._untold.clear()
            self._told_ms = now_ms
            logger.warning("turned away at the door: %s", told)
