"""The streak: while messages wait, a process reads one after another without its parent between.

What Celery's parent does for a message, and the way through it, take a fifth of what an image
costs. So under load a process that has stored a result takes the next message in the same step, or
several, to be read together, where as many wait for every process. After a while it returns to its
parent nevertheless, who may have other things for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from workers.contract.clock import Clock
from workers.contract.message import ReadRequest
from workers.hands import Hand
from workers.reader import Reader
from workers.told import Told

logger = logging.getLogger(__name__)

_LONGEST_MS = 250


class Streak:
    """Of one process. ``hand`` is for its parent to see, and ``told`` for Flower."""

    def __init__(self, reader: Reader, hand: Hand, told: Told, clock: Clock) -> None:
        self._reader, self._hand, self._told, self._clock = reader, hand, told, clock

    def read(self, first: ReadRequest) -> Mapping[str, Any]:
        """Read what Celery has brought, and what waits behind it; what came of the first."""
        until_ms = self._clock() + _LONGEST_MS

        def goes_on() -> bool:
            return self._clock() < until_ms

        (result,), following = self._reader.read([first], goes_on)
        while following:
            following = self._go_on(first, following, goes_on)
        return result

    def _go_on(
        self, first: ReadRequest, requests: Sequence[ReadRequest], goes_on: Callable[[], bool]
    ) -> Sequence[ReadRequest]:
        following: Sequence[ReadRequest] = ()
        try:
            with self._hand.holding(first.ticket, requests), ExitStack() as all_told:
                tells = [all_told.enter_context(self._told.of(each)) for each in requests]
                results, following = self._reader.read(requests, goes_on)
                for tell, result in zip(tells, results, strict=True):
                    tell(result)
        except Exception:
            # As Celery would, of tasks that it has brought.
            logger.exception("uuids=%s: reading failed", [each.uuid for each in requests])
        return following
