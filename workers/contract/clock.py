"""The three clocks of a request, as absolute times in epoch milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

# Passed in wherever time matters, so that tests can turn it by hand.
Clock = Callable[[], int]


def wall_clock_ms() -> int:
    """Now, in epoch milliseconds. Machines that share a Redis must agree on it (NTP)."""
    return time.time_ns() // 1_000_000


class Deadlines(NamedTuple):
    """Until when an answer is on time, still useful, and possibly wanted by anybody at all.

    They travel with the task, as JSON: a plain list of three integers.
    """

    answer_by_ms: int
    useful_until_ms: int
    drop_after_ms: int

    @classmethod
    def after(
        cls, arrival_ms: int, *, wait_ms: int, useful_for_ms: int, drop_after_ms: int
    ) -> Deadlines:
        """The clocks of a request that arrived at ``arrival_ms`` and is patient for ``wait_ms``."""
        useful_for_ms = max(wait_ms, useful_for_ms)
        return cls(
            arrival_ms + wait_ms,
            arrival_ms + useful_for_ms,
            arrival_ms + max(useful_for_ms, drop_after_ms),
        )
