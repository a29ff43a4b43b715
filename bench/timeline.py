"""Virtual time: what is to happen happens at once, in order, and the clock says when."""

from __future__ import annotations

import heapq
from collections.abc import Callable

# Far from 0, as epoch milliseconds are.
_BEGAN_MS = 1e12

Happen = Callable[[], None]


class Timeline:
    """Events to come. They may add others."""

    def __init__(self) -> None:
        self.now_ms = _BEGAN_MS
        self._events: list[tuple[float, int, Happen]] = []
        self._count = 0

    @property
    def now_s(self) -> float:
        """Since the beginning."""
        return (self.now_ms - _BEGAN_MS) / 1000

    def clock(self) -> int:
        """The clock of everybody who is part of it."""
        return int(self.now_ms)

    def after(self, ms: float, happen: Happen) -> None:
        """Once, so much later. Of two at the same moment, the first that was added."""
        self._count += 1
        heapq.heappush(self._events, (self.now_ms + ms, self._count, happen))

    def every(self, ms: float, happen: Happen) -> None:
        """Again and again."""

        def again() -> None:
            happen()
            self.after(ms, again)

        self.after(ms, again)

    def run(self, for_s: float) -> None:
        """Until so much time has passed."""
        until_ms = self.now_ms + for_s * 1000
        while self._events and self._events[0][0] <= until_ms:
            self.now_ms, _, happen = heapq.heappop(self._events)
            happen()
