"""Hands: what a worker's processes have in hand, for their parent to see when one has died.

Celery tells the parent which task a process had. While a process reads one message after another by
itself, that is the first of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawArray
from typing import Any

# Two names of 128 characters and an account's, in UTF-8 and with escapes.
_BYTES = 4_096


class Hand:
    """One process' part of the memory that it shares with its parent."""

    def __init__(self) -> None:
        self._shared: Any = RawArray("c", _BYTES)

    @contextmanager
    def holding(self, task_id: str, request: str, ticket: str) -> Iterator[None]:
        """Have this request in hand for the length of the block, within a task of Celery's."""
        self._shared.value = json.dumps((task_id, request, ticket), ensure_ascii=False).encode()
        try:
            yield
        finally:
            self._shared.value = b""

    def within(self, task_id: str) -> tuple[str, str] | None:
        """The request and ticket in hand, if that is within this task; it is let go of."""
        try:
            holder, request, ticket = json.loads(self._shared.value)
        except ValueError:
            return None  # nothing, or it died in the middle of a note
        if holder != task_id:
            return None
        self._shared.value = b""
        return request, ticket
