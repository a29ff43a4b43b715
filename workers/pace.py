"""The pace: what reading costs here, as it was learnt from the latest images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from workers.contract.line import Rate

if TYPE_CHECKING:
    # Engines come after the fork, and Flower, which imports the tasks, has none.
    from model.algorithm import Algorithm

# From a finished member to the reply: store, publish, and the front's last look into the ledger.
REPLY_MS: Final = 35

# How much of what is believed the latest measurement replaces. A burst that is taken in slows
# everything around the members for a moment, which says little of the next second.
_NEW, _NEW_OVERHEAD = 1 / 8, 1 / 32

# What is not asked is believed to become as cheap as what is, by their times when they were loaded.
# Or what was slow for a moment would never be asked again; once it is, it is measured.
_FOLLOWS = 1 / 32

# A process that stood still for a moment takes many times as long, once. So no more is believed at
# once: what is slow indeed is known after a few images, too.
_HICCUP = 4

# Before anything has been measured: of a message what Celery and the ledger take, and of a byte of
# an image what it takes to bring it here and decode it.
_OVERHEAD_US = 2_500
_BYTE_NS = 30

# Of smaller images, the decoder's time says nothing of what a byte costs.
_TELLING_BYTES = 20_000


class Pace:
    """What a member, a byte and all the rest cost here, in micro- and nanoseconds.

    ``express_us``: of the express member, None without one. ``bunch_us``: of the first member for
    each of ``most`` images that it is asked about at once, None where it never is.
    Learned while running: it follows the machine, its neighbours and the images.
    """

    def __init__(
        self,
        member_us: int,
        express_us: int | None = None,
        bunch_us: int | None = None,
        most: int = 1,
    ) -> None:
        self.member_us = float(member_us)
        self.express_us = float(express_us) if express_us else None
        self.bunch_us = float(bunch_us) if bunch_us else None
        # Of a member's time.
        self._express_share = express_us / member_us if express_us else 0.0
        self._bunch_share = bunch_us / member_us if bunch_us else 0.0
        self._most = most
        self.overhead_us = float(_OVERHEAD_US)
        self.byte_ns = float(_BYTE_NS)

    @classmethod
    def of(cls, ensemble: Algorithm) -> Self:
        """At first: what one more golden image takes, of which the largest sheet is the last."""
        began_ns = time.perf_counter_ns()
        ensemble.check(ensemble.bundle.manifest.golden[-1])
        members = 1 if ensemble.bundle.manifest.sheet else ensemble.size
        member_us = (time.perf_counter_ns() - began_ns) // 1000 // members
        express, bunch = ensemble.express, ensemble.bunch
        return cls(
            member_us,
            express.took_us if express else None,
            bunch.took_us if bunch else None,
            bunch.MOST if bunch else 1,
        )

    def learn_member(self, took_us: float) -> None:
        """One member was asked."""
        self.member_us = _nearer(self.member_us, took_us, _NEW)
        if self.express_us:
            self.express_us = _follow(self.express_us, took_us * self._express_share)
        if self.bunch_us:
            self.bunch_us = _follow(self.bunch_us, took_us * self._bunch_share)

    def learn_express(self, took_us: float) -> None:
        """The express member was asked."""
        if self.express_us:
            self.express_us = _nearer(self.express_us, took_us, _NEW)
            self.member_us = _follow(self.member_us, took_us / self._express_share)

    def learn_bunch(self, took_us: float) -> None:
        """The first member was asked about a bunch, and took so long for each."""
        if self.bunch_us:
            self.bunch_us = _nearer(self.bunch_us, took_us, _NEW)
            self.member_us = _follow(self.member_us, took_us / self._bunch_share)

    def forget_bunch(self) -> None:
        """Images are read one at a time from now on."""
        self.bunch_us = None

    def learn_bytes(self, count: int, took_us: float) -> None:
        """An image of so many bytes was fetched and decoded, whether it could be or not."""
        if count >= _TELLING_BYTES:
            self.byte_ns = _nearer(self.byte_ns, took_us * 1000 / count, _NEW)

    def learn_overhead(self, took_us: float) -> None:
        """One message of many that wait was dealt with, beside asking members and decoding."""
        self.overhead_us = _nearer(self.overhead_us, took_us, _NEW_OVERHEAD)

    @property
    def most(self) -> int:
        """How many images are best read together, where as many wait."""
        return self._most if self.bunch_us and self.bunch_us < self.member_us else 1

    def first_us(self, images: int) -> float:
        """What the first member takes for so many, one after another or as a bunch."""
        together_us = self.bunch_us if 1 < images == self.most else None
        return images * (together_us or self.member_us)

    def cheapest_us(self, images: int) -> float:
        """What is asked about so many when their answers are to cost as little as they can."""
        first_us = self.first_us(images)
        return min(first_us, images * self.express_us) if self.express_us else first_us

    @property
    def rate(self) -> Rate:
        """What this process answers in a second when each image costs the least."""
        each_us = self.cheapest_us(self.most) / self.most + self.overhead_us
        return Rate(1_000_000 / each_us, 1_000_000_000 / self.byte_ns)

    def least_us(self, images: int) -> float:
        """From pick-up to reply with the cheapest answers to so many, without their bytes."""
        return self.cheapest_us(images) + images * self.overhead_us + REPLY_MS * 1000


def _nearer(believed: float, measured: float, share: float) -> float:
    return believed + (min(measured, _HICCUP * believed) - believed) * share


def _follow(believed: float, expected: float) -> float:
    return min(believed, _nearer(believed, expected, _FOLLOWS))
