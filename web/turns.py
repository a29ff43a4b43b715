"""Turns: so many at a time, and whose time ends first gets the next."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from gevent.event import Event


@dataclass(order=True)
class _Waiter:
    due_ms: int
    called: Event = field(default_factory=Event, compare=False)


class Turns:
    """``count`` of them; like a semaphore, but not first come, first served."""

    def __init__(self, count: int) -> None:
        self._free = count
        # The next one first; of equal ones who came first.
        self._waiters: list[_Waiter] = []

    @property
    def are_taken(self) -> bool:
        """Whether the next to come would wait."""
        return not self._free

    @property
    def are_awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiters)

    @property
    def free(self) -> int:
        """How many can be had without waiting."""
        return self._free

    def before(self, due_ms: int) -> int:
        """How many wait who would get theirs before somebody due then."""
        return bisect.bisect_right(self._waiters, _Waiter(due_ms))

    def take(self, due_ms: int, within_ms: int) -> bool:
        """Wait for a turn, for so long at the most; whether there was one.

        Who is interrupted has none.
        """
        if self._free:
            self._free -= 1
            return True
        waiter = _Waiter(due_ms)
        bisect.insort(self._waiters, waiter)
        try:
            waiter.called.wait(within_ms / 1000)
        except BaseException:
            if waiter.called.is_set():
                self.give_back()
            else:
                self._forget(waiter)
            raise
        # Both may have happened.
        is_called: bool = waiter.called.is_set()
        if not is_called:
            self._forget(waiter)
        return is_called

    def _forget(self, waiter: _Waiter) -> None:
        self._waiters = [other for other in self._waiters if other is not waiter]

    def give_back(self) -> None:
        """The turn goes to whoever is due first."""
        if self._waiters:
            self._waiters.pop(0).called.set()
        else:
            self._free += 1
