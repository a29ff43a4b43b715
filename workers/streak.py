"""The streak: while messages wait, a process reads one after another without its parent between.

What Celery's parent does for a message, and the way through it, take a fifth of what an image
costs. So under load a process that has stored a result takes the next message in the same step.
After a while it returns to its parent nevertheless, who may have other things for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
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
        result, following = self._reader.read(first, goes_on=True)
        while following is not None:
            following = self._go_on(first, following, until_ms)
        return result

    def _go_on(self, first: ReadRequest, request: ReadRequest, until_ms: int) -> ReadRequest | None:
        goes_on = self._clock() < until_ms
        try:
            with (
                self._hand.holding(first.uuid, request.name, request.ticket),
                self._told.of(request) as tell,
            ):
                told, following = self._reader.read(request, goes_on=goes_on)
                tell(told)
                return following
        except Exception:
            # As Celery would, of a task that it has brought.
            logger.exception("uuid=%s: reading failed", request.uuid)
            return None
