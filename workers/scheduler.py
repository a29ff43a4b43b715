"""The scheduler: how many members an image may ask, decided again after each of them.

It weighs one image against the clock of its caller and against those that wait behind it. When the
line is short everybody gets the full ensemble; the longer it is, the fewer members each image may
ask, down to one. What even one member is too late for is the front's to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workers.contract.clock import Clock
from workers.contract.line import Rate, Turn
from workers.contract.result import Stop

# From a finished member to the reply: store, publish, and the front's last look into the ledger.
_REPLY_MS = 35

# How much of what is believed the latest measurement replaces. A burst that is taken in slows
# everything around the members for a moment, which says little of the next second.
_NEW, _NEW_OVERHEAD = 1 / 8, 1 / 32

# Before anything has been measured: of a message what Celery and the ledger take, and of a byte of
# an image what it takes to bring it here and decode it.
_OVERHEAD_US = 2_500
_BYTE_NS = 30

# Of smaller images, the decoder's time says nothing of what a byte costs.
_TELLING_BYTES = 20_000


class Pace:
    """What a member, a byte and all the rest cost here, in micro- and nanoseconds.

    Learned while running: it follows the machine, its neighbours and the images.
    """

    def __init__(self, member_us: int) -> None:
        self.member_us = float(member_us)
        self.overhead_us = float(_OVERHEAD_US)
        self.byte_ns = float(_BYTE_NS)

    def learn_member(self, took_us: float) -> None:
        """One member was asked."""
        self.member_us += (took_us - self.member_us) * _NEW

    def learn_bytes(self, count: int, took_us: float) -> None:
        """An image of so many bytes was fetched and decoded, whether it could be or not."""
        if count >= _TELLING_BYTES:
            self.byte_ns += (took_us * 1000 / count - self.byte_ns) * _NEW

    def learn_overhead(self, took_us: float) -> None:
        """One message of many that wait was dealt with, beside asking members and decoding."""
        self.overhead_us += (took_us - self.overhead_us) * _NEW_OVERHEAD

    @property
    def rate(self) -> Rate:
        """What this process answers in a second when each image asks one member."""
        return Rate(1_000_000 / (self.member_us + self.overhead_us), 1_000_000_000 / self.byte_ns)

    @property
    def least_us(self) -> float:
        """From pick-up to reply with one member, without the bytes."""
        return self.member_us + self.overhead_us + _REPLY_MS * 1000


@dataclass(frozen=True)
class Allowance:
    """Until when (epoch milliseconds) members may run; without it, while nobody waits.

    ``bound``: what ends there, the caller's time or the share of the line's.
    """

    until_ms: int | None
    bound: Stop = Stop.LINE

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

    def allowance(self, turn: Turn) -> Allowance:
        """As long as its caller waits, and no longer than its share when others wait.

        Members must also end in time for the caller. If not even one does, it is for the record.
        """
        now_ms = self._clock()
        in_time_ms = turn.answer_by_ms - _REPLY_MS
        if now_ms + self._pace.member_us / 1000 > in_time_ms:
            return WHILE_NOBODY_WAITS
        if turn.waiting == 0:
            return Allowance(in_time_ms, Stop.TIME)
        share_until_ms = now_ms + int(turn.share_ms - self._pace.overhead_us / 1000)
        if in_time_ms <= share_until_ms:
            return Allowance(in_time_ms, Stop.TIME)
        return Allowance(share_until_ms, Stop.LINE)
