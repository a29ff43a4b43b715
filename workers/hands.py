"""Hands: what a worker's processes have in hand, for their parent to see when one has died.

Celery tells the parent which task a process had. While a process reads one message after another by
itself, that is the first of them; it may have several in hand at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawArray
from typing import Any

from workers.contract.message import ReadRequest

# Of a bunch, and of the task: names of 128 characters and an account's, in UTF-8 and with escapes.
_BYTES = 16_384


class Hand:
    """One process' part of the memory that it shares with its parent."""

    def __init__(self) -> None:
        self._shared: Any = RawArray("c", _BYTES)

    @contextmanager
    def holding(self, ticket: str, requests: Sequence[ReadRequest]) -> Iterator[None]:
        """Have these in hand for the length of the block, within the task with that ticket.

        Its id would not do: two accounts may call their requests alike.
        """
        self._shared.value = json.dumps((ticket, requests), ensure_ascii=False).encode()
        try:
            yield
        finally:
            self._shared.value = b""

    def within(self, ticket: str) -> list[ReadRequest]:
        """The requests in hand, if that is within this task; they are let go of."""
        try:
            holder, requests = json.loads(self._shared.value)
        except ValueError:
            return []  # nothing, or it died in the middle of a note
        if holder != ticket:
            return []
        self._shared.value = b""
        return [ReadRequest(*each) for each in requests]
