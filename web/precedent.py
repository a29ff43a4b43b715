"""The precedent: a refusal of the ledger speaks for those who come after it.

They are as good as refused when they have no more time than it had. Every moment one of them is let
in to ask again; when that one is taken, the way is free.

Of another algorithm a refusal says nothing, and one of a large image says nothing of small ones.
"""

from __future__ import annotations

from typing import NamedTuple

from gevent import Greenlet, getcurrent

from web.problem import Problem
from workers.contract.clock import Clock

_ASK_AGAIN_MS = 50
# Unless another one follows, a refusal says nothing of what comes later.
_SPEAKS_FOR_MS = 500


class Precedent:
    """The latest refusal, of small requests or of large ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: Problem | None = None
        self._ask_again_ms = self._over_ms = self._for_ms = self._called_ms = 0
        self._asks: Greenlet | None = None

    def note(self, problem: Problem, wait_ms: int) -> None:
        """A new request that had so much time was refused."""
        self._latest, self._for_ms = problem, wait_ms
        now_ms = self._clock()
        self._ask_again_ms, self._over_ms = now_ms + _ASK_AGAIN_MS, now_ms + _SPEAKS_FOR_MS

    @property
    def is_in_force(self) -> bool:
        """Whether it speaks for anybody."""
        return self._latest is not None and self._clock() < self._over_ms

    def of(self, wait_ms: int) -> Problem | None:
        """The refusal, if it speaks for a call with so much time."""
        return self._latest if self.is_in_force and wait_ms <= self._for_ms else None

    def calls_one(self) -> bool:
        """Whether one who has just come should go in and ask again."""
        now_ms = self._clock()
        if now_ms < max(self._ask_again_ms, self._called_ms + _ASK_AGAIN_MS):
            return False
        self._called_ms = now_ms
        return True

    def lets_ask(self) -> bool:
        """Whether the current call is the one that asks; who comes after it is refused."""
        now_ms = self._clock()
        if now_ms < self._ask_again_ms:
            return False
        self._ask_again_ms, self._asks = now_ms + _ASK_AGAIN_MS, getcurrent()
        return True

    @property
    def is_asked(self) -> bool:
        """Whether the current call is the one that asks."""
        return getcurrent() is self._asks

    def end(self, *, taken: bool) -> None:
        """The current call has its verdict; the way is free when it asked and was taken."""
        if self.is_asked:
            self._asks = None
            if taken:
                self._latest = None


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
            self._kinds[kind] = Precedent(self._clock)
        self._kinds[kind].note(problem, wait_ms)

    def speaking(self, wait_ms: int, algorithm: str | None, *, large: bool) -> Speaking | None:
        """What speaks for a call: where a small image has no room, a large one has none."""
        for of_large in (False, True) if large else (False,):
            precedent = self._kinds.get((algorithm, of_large))
            if precedent and (problem := precedent.of(wait_ms)):
                return Speaking(precedent, problem)
        return None

    @property
    def are_in_force(self) -> bool:
        """Whether any of them speaks for anybody."""
        return any(precedent.is_in_force for precedent in self._kinds.values())

    @property
    def are_asked(self) -> bool:
        """Whether the current call is one that asks."""
        return any(precedent.is_asked for precedent in self._kinds.values())

    def end(self, *, taken: bool) -> None:
        """The current call has its verdict."""
        for precedent in self._kinds.values():
            precedent.end(taken=taken)
