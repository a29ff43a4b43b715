"""The reply: what a result is to its caller, in bytes. Knows no server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from web.problems import EngineFailed, ImageUnreadable
from web.wire import InferenceReply
from workers.contract.result import Outcome, Result, Stop


class Source(StrEnum):
    """Where an answer came from."""

    COMPUTED = "computed"
    JOINED = "joined"
    KEPT = "kept"


class Answer(NamedTuple):
    """A result and where it came from."""

    result: Result
    source: Source

    def require_answered(self) -> None:
        """Raise what a result is that holds no answer.

        Raises:
            ImageUnreadable: 422.
            EngineFailed: 500.
        """
        match self.result.outcome:
            case Outcome.UNREADABLE:
                raise ImageUnreadable(self.result.text)
            case Outcome.FAILED:
                raise EngineFailed(f"{self.result.text}. Send the same request again.")

    def body(self, uuid: str, captain_email: str, salt: str, *, whole: bool = False) -> bytes:
        """The four fields of the contract, and what the algorithm tells beside, as JSON.

        The timestamp is the moment the answer was made. So every copy of a uuid gets the same body.
        ``whole``: with what else is known of the answer, as far as its worker told it.
        """
        timestamp = self.result.finished_s
        proof = f"{captain_email}{timestamp}{salt}"
        fields: InferenceReply = {
            "esun_uuid": uuid,
            "server_uuid": hashlib.sha256(proof.encode()).hexdigest(),
            "server_timestamp": timestamp,
            "answer": self.result.text,
        }
        confidence, alternatives = self.result.confidence, self.result.alternatives
        if whole and confidence is not None and alternatives is not None:
            fields["confidence"] = confidence
            fields["alternatives"] = [
                {"text": other.text, "confidence": other.confidence} for other in alternatives
            ]
        beside = self.result.output or {}
        return json.dumps({**beside, **fields}, ensure_ascii=False).encode()

    @property
    def has_text(self) -> bool:
        """Whether it may be told as text: of single characters the contract knows JSON alone."""
        return self.result.output is not None

    @property
    def pages(self) -> list[Mapping[str, Any]]:
        """What was read in each page of a sheet; none of what is no sheet."""
        pages: list[Mapping[str, Any]] = (self.result.output or {}).get("pages", [])
        return pages

    @property
    def text(self) -> bytes:
        """The answer alone."""
        return f"{self.result.text}\n".encode()

    def headers(self) -> dict[str, str]:
        """How the answer came about."""
        result = self.result
        queue_ms, compute_ms, finding_ms = (
            (0, 0, 0)
            if self.source is Source.KEPT
            else (result.queue_ms, result.compute_us / 1000, result.finding_us / 1000)
        )
        timing = f"queue;dur={queue_ms:g}, compute;dur={compute_ms:g}"
        if self.has_text:
            reading_ms = max(0, compute_ms - finding_ms)
            timing += f", detector;dur={finding_ms:g}, reader;dur={reading_ms:g}"
        ended = ""
        if result.whole and result.members < result.of_members:
            ended = ";settled"
        elif result.stopped == Stop.EXPRESS:
            ended = ";express"
        return {
            "Server-Timing": timing,
            "Punctual-Source": self.source,
            "Punctual-Bundle": result.bundle,
            "Punctual-Members": f"{result.members}/{result.of_members}{ended}",
        }
