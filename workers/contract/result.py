"""The result of a task, as it is kept in the ledger and told to every front that waits."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, NamedTuple


class Outcome(StrEnum):
    """How a task ended."""

    ANSWERED = "answered"
    UNREADABLE = "unreadable"
    FAILED = "failed"


class Stop(StrEnum):
    """Why no further member was asked: none was left, none could change the answer, ..."""

    ALL = "all"
    SETTLED = "settled"
    # The caller's time would have run out, or others waited.
    TIME = "time"
    LINE = "line"
    # As many waited as left no time even for one, but for its cheaper form.
    EXPRESS = "express"


class Alternative(NamedTuple):
    """What else the answer could be; ``confidence`` is a probability."""

    text: str
    confidence: float


class Result(NamedTuple):
    """One finished request.

    ``text`` is the answer, or for the other outcomes what the caller should know. ``whole``: no
    further member could change it.
    ``queue_ms`` and ``compute_us`` are milliseconds and microseconds; ``finished_s`` is in epoch
    seconds. ``worker`` is the process, ``digest`` of its bundle; ``ended_ms`` is in epoch
    milliseconds. Workers of a release before these tell none of them, nor why they ``stopped``.
    ``confidence``: the probability of the answer. It and the ``alternatives``, the likeliest first,
    are None where there is no answer, and from such workers.
    ``trace`` is the ``traceparent`` of the request that was read, if that is traced.
    ``output`` is what an algorithm tells beside its text, as JSON has it; ``finding_us`` of the
    time went into finding what to read.
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
    stopped: str = ""
    worker: str = ""
    digest: str = ""
    ended_ms: int = 0
    confidence: float | None = None
    alternatives: tuple[Alternative, ...] | None = None
    output: dict[str, Any] | None = None
    trace: str = ""
    finding_us: int = 0

    def to_json(self) -> str:
        """The wire form: about 300 bytes, and what the output takes."""
        return json.dumps(self._asdict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Result:
        """The inverse of ``to_json``.

        A newer worker may say more than this front knows, and an older one less: a field that is
        added needs a default.
        """
        fields = json.loads(text)
        known = {name: fields[name] for name in cls._fields if name in fields}
        known["outcome"] = Outcome(known["outcome"])
        if (others := known.get("alternatives")) is not None:
            known["alternatives"] = tuple(map(Alternative._make, others))
        return cls(**known)
