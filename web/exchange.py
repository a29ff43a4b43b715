"""The exchange: one request of /inference and its reply, as far as they have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from web.bill import Bill
from web.reply import Answer
from web.wire import InferenceRequest
from workers.contract.account import Account

if TYPE_CHECKING:
    from opentelemetry.trace import Span


@dataclass(slots=True)
class Exchange:
    """What each part of the front adds to it; times are epoch milliseconds.

    ``prefer``: the Prefer headers, of which ``preferred_ms`` and ``whole`` are two. ``algorithm``:
    as it is named in the path. ``image`` is set where images are kept, ``account`` and ``bill``
    while there are accounts, ``span`` where it is traced. ``source`` and ``problem`` are what the
    log calls them.
    """

    arrived_ms: int
    prefer: list[str]
    preferred_ms: int | None
    whole: bool
    algorithm: str | None = None
    asked: InferenceRequest | None = None
    image: bytes | None = None
    account: Account | None = None
    bill: Bill | None = None
    span: Span | None = None
    answer: Answer | None = None
    source: str = "none"
    problem: str = ""
    uuid: str | None = None
    status: int = 0
    answered_ms: int = 0

    @property
    def retry(self) -> int | None:
        """How many more copies its caller says that it has."""
        return self.asked.retry if self.asked else None
