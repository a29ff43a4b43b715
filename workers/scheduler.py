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

    ``express_us``: of the express member, None without one.
    Learned while running: it follows the machine, its neighbours and the images.
    """

    def __init__(self, member_us: int, express_us: int | None = None) -> None:
        self.member_us = float(member_us)
        self.express_us = float(express_us) if express_us else None
        self.overhead_us = float(_OVERHEAD_US)
        self.byte_ns = float(_BYTE_NS)

    def learn_member(self, took_us: float) -> None:
        """One member was asked."""
        self.member_us += (took_us - self.member_us) * _NEW

    def learn_express(self, took_us: float) -> None:
        """The express member was asked."""
        if self.express_us is not None:
            self.express_us += (took_us - self.express_us) * _NEW

    def learn_bytes(self, count: int, took_us: float) -> None:
        """An image of so many bytes was fetched and decoded, whether it could be or not."""
        if count >= _TELLING_BYTES:
            self.byte_ns += (took_us * 1000 / count - self.byte_ns) * _NEW

    def learn_overhead(self, took_us: float) -> None:
        """One message of many that wait was dealt with, beside asking members and decoding."""
        self.overhead_us += (took_us - self.overhead_us) * _NEW_OVERHEAD

    @property
    def has_express(self) -> bool:
        """Whether there is an express member that costs less than the first."""
        return self.express_us is not None and self.express_us < self.member_us

    @property
    def cheapest_us(self) -> float:
        """What is asked when an answer is to cost as little as it can."""
        return self.express_us if self.express_us and self.has_express else self.member_us

    @property
    def rate(self) -> Rate:
        """What this process answers in a second when each image costs the least."""
        return Rate(1_000_000 / (self.cheapest_us + self.overhead_us), 1_000_000_000 / self.byte_ns)

    @property
    def least_us(self) -> float:
        """From pick-up to reply with the cheapest answer, without the bytes."""
        return self.cheapest_us + self.overhead_us + _REPLY_MS * 1000


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

    def allowance(self, turn: Turn) -> Allowance:
        """As long as its caller waits, and no longer than its share when others wait.

        Members must also end in time for the caller. If not even one does, it is for the record.
        """
        now_ms = self._clock()
        in_time_ms = turn.answer_by_ms - _REPLY_MS
        if now_ms + self._pace.cheapest_us / 1000 > in_time_ms:
            return WHILE_NOBODY_WAITS
        until_ms, bound = in_time_ms, Stop.TIME
        if turn.waiting:
            share_until_ms = now_ms + int(turn.share_ms - self._pace.overhead_us / 1000)
            if share_until_ms < in_time_ms:
                until_ms, bound = share_until_ms, Stop.LINE
        too_long = now_ms + self._pace.member_us / 1000 > until_ms
        return Allowance(until_ms, bound, express=too_long and self._pace.has_express)
