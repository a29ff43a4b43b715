"""The precedent: a refusal of the ledger speaks for those who come after it.

They are as good as refused when they have no more time than it had. But every moment some of them
are let in to ask again: more than before while all of these are taken, fewer when one is refused.
So about as many come in as are worked off, and the others are told at once. When nobody has been
held back for a while, the way is free.

Of another algorithm a refusal says nothing, and one of a large image says nothing of small ones.
"""

from __future__ import annotations

from typing import NamedTuple

from gevent import Greenlet, getcurrent

from web.problem import Problem
from workers.contract.clock import Clock

# How often some are let in, and at first how many of those with small images, and with large ones.
_ROUND_MS = 50
_SMALL, _LARGE = 16, 1
# So much more when all were taken, so much less when one was refused: parts of as many.
_MORE, _LESS = 2, 4
# Unless somebody else is refused, it says nothing of what comes later.
_SPEAKS_FOR_MS = 500
# But where somebody was refused, the next refusal is not far.
_LATELY_MS = 2_000


class Precedent:
    """The latest refusal, of small requests or of large ones."""

    def __init__(self, clock: Clock, at_first: int) -> None:
        """``at_first``: so many are let in to ask again in the first round."""
        self._clock, self._at_first = clock, at_first
        self._latest: Problem | None = None
        self._over_ms = self._for_ms = self._forgotten_ms = 0
        # Of this round: its end, how many are let in, and how many were; was one of them refused?
        self._ends_ms, self._most = 0, at_first
        self._called = self._let_in = 0
        self._is_refused = False
        # Who is on the way to the ledger and would be refused, had the round not let it in.
        self._asking: set[Greenlet] = set()

    def note(self, problem: Problem, wait_ms: int) -> None:
        """A new request that had so much time was refused."""
        if not self.is_in_force:
            self._most = self._at_first
        elif not self._is_refused:
            self._most = max(1, self._most - max(1, self._most // _LESS))
        self._latest, self._for_ms, self._is_refused = problem, wait_ms, True
        now_ms = self._clock()
        self._ends_ms, self._over_ms = now_ms + _ROUND_MS, now_ms + _SPEAKS_FOR_MS
        self._forgotten_ms = now_ms + _LATELY_MS
        self._called = self._let_in = self._most
        self._asking.clear()

    @property
    def is_in_force(self) -> bool:
        """Whether it speaks for anybody."""
        return self._latest is not None and self._clock() < self._over_ms

    def of(self, wait_ms: int) -> Problem | None:
        """The refusal, if it speaks for a call with so much time."""
        return self._latest if self.is_in_force and wait_ms <= self._for_ms else None

    def was_of(self, wait_ms: int) -> bool:
        """Whether a call with so much time or more was refused lately."""
        return self._clock() < self._forgotten_ms and wait_ms <= self._for_ms

    def calls_one(self) -> bool:
        """Whether one who has just come should go in and ask again."""
        self._begin_round()
        if self._called >= self._most:
            return self._hold_back()
        self._called += 1
        return True

    def lets_ask(self) -> bool:
        """Whether the current call is one that asks."""
        self._begin_round()
        if self._let_in >= self._most:
            return self._hold_back()
        self._let_in += 1
        self._asking.add(getcurrent())
        return True

    @property
    def is_asked(self) -> bool:
        """Whether the current call is one that asks, and nobody was refused since it may."""
        return getcurrent() in self._asking

    def end(self) -> None:
        """The current call has its verdict."""
        self._asking.discard(getcurrent())

    def _begin_round(self) -> None:
        """The next one, when this one is over."""
        now_ms = self._clock()
        if now_ms < self._ends_ms:
            return
        if not self._is_refused and max(self._called, self._let_in) >= self._most:
            self._most += self._most // _MORE or 1
        self._ends_ms, self._is_refused = now_ms + _ROUND_MS, False
        self._called = self._let_in = 0

    def _hold_back(self) -> bool:
        self._over_ms = self._clock() + _SPEAKS_FOR_MS
        return False


class Speaking(NamedTuple):
    """What speaks for a call, and what it says."""

    precedent: Precedent
    problem: Problem


class Precedents:
    """The latest refusals of all kinds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By algorithm and whether the image was a large one.
        self._kinds: dict[tuple[str | None, bool], Precedent] = {}

    def note(self, problem: Problem, wait_ms: int, algorithm: str | None, *, large: bool) -> None:
        """A new request of this kind, that had so much time, was refused."""
        kind = (algorithm, large)
        if kind not in self._kinds:
            self._kinds[kind] = Precedent(self._clock, _LARGE if large else _SMALL)
        self._kinds[kind].note(problem, wait_ms)

    def speaking(self, wait_ms: int, algorithm: str | None, *, large: bool) -> Speaking | None:
        """What speaks for a call: where a small image has no room, a large one has none."""
        for of_large in (False, True) if large else (False,):
            precedent = self._kinds.get((algorithm, of_large))
            if precedent and (problem := precedent.of(wait_ms)):
                return Speaking(precedent, problem)
        return None

    def spoke(self, wait_ms: int, algorithm: str | None) -> bool:
        """Whether small requests like this one were refused lately."""
        precedent = self._kinds.get((algorithm, False))
        return precedent is not None and precedent.was_of(wait_ms)

    @property
    def are_in_force(self) -> bool:
        """Whether any of them speaks for anybody."""
        return any(precedent.is_in_force for precedent in self._kinds.values())

    @property
    def are_asked(self) -> bool:
        """Whether the current call is one that asks."""
        return any(precedent.is_asked for precedent in self._kinds.values())

    def end(self) -> None:
        """The current call has its verdict."""
        for precedent in self._kinds.values():
            precedent.end()
