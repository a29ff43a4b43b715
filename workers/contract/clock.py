"""The clocks of a request, as absolute times in epoch milliseconds of whoever holds them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

# Passed in wherever time matters, so that tests can turn it by hand.
Clock = Callable[[], int]


def wall_clock_ms() -> int:
    """Now, in epoch milliseconds. Only spans of time leave a machine: no two need agree on it."""
    return time.time_ns() // 1_000_000


def steady_clock_ms() -> int:
    """For spans within one process, whatever is done to the time of day."""
    return time.monotonic_ns() // 1_000_000


class Deadlines(NamedTuple):
    """When an answer is due, until when it is on time, still useful, possibly wanted at all.

    Due is when the line up to here should have been worked off, some time before it is late.
    """

    due_ms: int
    answer_by_ms: int
    useful_until_ms: int
    drop_after_ms: int

    @classmethod
    def after(
        cls,
        arrival_ms: int,
        *,
        due_in_ms: int,
        wait_ms: int,
        useful_for_ms: int,
        drop_after_ms: int,
    ) -> Deadlines:
        """The clocks of a request that arrived at ``arrival_ms`` and is patient for ``wait_ms``."""
        useful_for_ms = max(wait_ms, useful_for_ms)
        return cls(
            arrival_ms + due_in_ms,
            arrival_ms + wait_ms,
            arrival_ms + useful_for_ms,
            arrival_ms + max(useful_for_ms, drop_after_ms),
        )

    def spans(self, now_ms: int) -> tuple[int, int, int, int]:
        """What is left of each, in milliseconds."""
        due_ms, answer_by_ms, useful_until_ms, drop_after_ms = self
        return (
            due_ms - now_ms,
            answer_by_ms - now_ms,
            useful_until_ms - now_ms,
            drop_after_ms - now_ms,
        )
