"""The scheduler: how many members an image may ask, decided again after each of them.

It weighs one image against the clock of its caller and against those that wait behind it. When the
line is short everybody gets the full ensemble; the longer it is, the fewer members each image may
ask, down to one. What even one member is too late for is the front's to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workers.contract.clock import Clock
from workers.contract.ledger import Turn

# From a finished member to the reply: store, publish, and the front's last look into the ledger.
_REPLY_MS = 35

# How much of what is believed the latest measurement replaces. A burst that is taken in slows
# everything around the members for a moment, which says little of the next second.
_NEW, _NEW_OVERHEAD = 1 / 8, 1 / 32

# Of a message before anything has been measured: Celery, the ledger, the decoder.
_OVERHEAD_US = 2_500


class Pace:
    """What one member and everything around the members cost here, in microseconds.

    Learned while running: it follows the machine, its neighbours and the images.
    """

    def __init__(self, member_us: int) -> None:
        self.member_us = float(member_us)
        self.overhead_us = float(_OVERHEAD_US)

    def learn_member(self, took_us: float) -> None:
        """One member was asked."""
        self.member_us += (took_us - self.member_us) * _NEW

    def learn_overhead(self, took_us: float) -> None:
        """One message of many that wait was dealt with, beside asking members."""
        self.overhead_us += (took_us - self.overhead_us) * _NEW_OVERHEAD

    @property
    def rate(self) -> float:
        """Images a second that this process answers when each asks one member."""
        return 1_000_000 / (self.member_us + self.overhead_us)

    @property
    def least_ms(self) -> int:
        """From pick-up to reply with one member."""
        return round((self.member_us + self.overhead_us) / 1000) + _REPLY_MS


@dataclass(frozen=True)
class Allowance:
    """Until when (epoch milliseconds) members may run; without it, while nobody waits."""

    until_ms: int | None

    def permits(self, member_us: float, now_ms: int, waiting: Callable[[], int]) -> bool:
        """Whether one more member may be asked. ``waiting`` tells how many images wait."""
        if self.until_ms is None:
            return waiting() == 0
        return now_ms + member_us / 1000 <= self.until_ms


WHILE_NOBODY_WAITS = Allowance(None)


class Scheduler:
    """Makes the allowance of an image at its pick-up."""

    def __init__(self, pace: Pace, backlog_ms: int, clock: Clock) -> None:
        self._pace = pace
        self._backlog_ms = backlog_ms
        self._clock = clock

    def allowance(self, turn: Turn, sent_ms: int) -> Allowance:
        """The image's share of the time in which the backlog is to be worked off.

        Those behind it may have come at the same moment, ``sent_ms``, and have waited as long: so
        a burst is worked off in that time too, and does not fade ever more slowly. Members must
        also end in time for the caller. If not even one does, it is for the record.
        """
        now_ms = self._clock()
        in_time_ms = turn.answer_by_ms - _REPLY_MS
        if now_ms + self._pace.member_us / 1000 > in_time_ms:
            return WHILE_NOBODY_WAITS
        if turn.waiting == 0:
            return Allowance(in_time_ms)
        left_ms = max(0, sent_ms + self._backlog_ms - now_ms)
        share_ms = left_ms / (turn.waiting / max(1, turn.workers) + 1)
        return Allowance(min(in_time_ms, now_ms + int(share_ms - self._pace.overhead_us / 1000)))
