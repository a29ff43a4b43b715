"""The result of a task, as it is kept in the ledger and told to every front that waits."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a task ended."""

    ANSWERED = "answered"
    UNREADABLE = "unreadable"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """One finished request.

    ``text`` is the answer, or for the other outcomes what the caller should know. ``whole``: no
    further member could change it.
    ``queue_ms`` and ``compute_us`` are milliseconds and microseconds; ``finished_s`` is in epoch
    seconds.
    """

    outcome: Outcome
    text: str
    bundle: str
    members: int
    of_members: int
    whole: bool
    queue_ms: int
    compute_us: int
    finished_s: int

    def to_json(self) -> str:
        """The wire form: about 150 bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Result:
        """The inverse of ``to_json``.

        A newer worker may say more than this front knows, and an older one less: a field that is
        added needs a default.
        """
        fields = json.loads(text)
        names = {field.name for field in dataclasses.fields(cls)}
        known = {name: value for name, value in fields.items() if name in names}
        return cls(**{**known, "outcome": Outcome(known["outcome"])})
