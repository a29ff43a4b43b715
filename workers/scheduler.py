"""The scheduler: how many members an image may ask, decided again after each of them.

It weighs an image against the clock of its caller and against those that wait behind it. When the
line is short everybody gets the full ensemble; the longer it is, the fewer members each image may
ask, down to one. What even one member is too late for is the front's to refuse.

Several images that are read together are weighed together: by the first clock of their callers, and
with the time that all of them may take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workers.contract.clock import Clock
from workers.contract.line import Turn
from workers.contract.result import Stop
from workers.pace import REPLY_MS, Pace


@dataclass(frozen=True)
class Allowance:
    """Until when (epoch milliseconds) members may run; without it, while nobody waits.

    ``bound``: what ends there, the caller's time or the share of the line's. ``express``: not even
    one member fits, so that its cheaper form is asked.
    """

    until_ms: int | None
    bound: Stop = Stop.LINE
    express: bool = False

    def permits(self, member_us: float, now_ms: int, waiting: Callable[[], int]) -> bool:
        """Whether one more member may be asked. ``waiting`` tells how many images wait."""
        if self.until_ms is None:
            return waiting() == 0
        return now_ms + member_us / 1000 <= self.until_ms


WHILE_NOBODY_WAITS = Allowance(None)


class Scheduler:
    """Makes the allowance of an image at its pick-up."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock

    def allowance(self, turns: Sequence[Turn]) -> Allowance:
        """As long as their callers wait, and no longer than their shares when others wait.

        Members must also end in time for the callers. For whom not even one does, it is for the
        record, and takes no time from the others.
        """
        pace, images, now_ms = self._pace, len(turns), self._clock()
        least_by_ms = now_ms + pace.cheapest_us(images) / 1000
        in_time_ms = min(
            (by for turn in turns if (by := turn.answer_by_ms - REPLY_MS) >= least_by_ms),
            default=None,
        )
        if in_time_ms is None:
            return WHILE_NOBODY_WAITS
        until_ms, bound = in_time_ms, Stop.TIME
        if any(turn.waiting for turn in turns):
            share_ms = sum(turn.share_ms for turn in turns) - images * pace.overhead_us / 1000
            if now_ms + int(share_ms) < in_time_ms:
                until_ms, bound = now_ms + int(share_ms), Stop.LINE
        first_us = pace.first_us(images)
        too_long = now_ms + first_us / 1000 > until_ms
        return Allowance(until_ms, bound, express=too_long and pace.cheapest_us(images) < first_us)
