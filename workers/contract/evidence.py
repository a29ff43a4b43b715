"""Evidence: what was replied to one call of /inference, when, by what, and how that came about."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from workers.contract.result import Outcome, Result


class Evidence(NamedTuple):
    """One reply, refusals too; ``None`` is what is not known of it.

    ``outcome`` is ``answered``, or the type of the problem. ``alternatives`` are pairs of text and
    probability. Times are epoch milliseconds: ``arrived_ms`` and ``answered_ms`` by the front's
    clock; when the image got in line, was begun and ended, by the worker's, also for copies that
    came later. ``stopped``: why no further member was asked, as in ``result.Stop``.
    """

    uuid: str | None
    algorithm: str | None
    arrived_ms: int
    answered_ms: int
    status: int
    outcome: str
    front: str
    account: str | None = None
    image_sha256: str | None = None
    source: str | None = None
    answer: str | None = None
    confidence: float | None = None
    alternatives: tuple[tuple[str, float], ...] | None = None
    members: int | None = None
    of_members: int | None = None
    stopped: str | None = None
    bundle: str | None = None
    digest: str | None = None
    worker: str | None = None
    queued_ms: int | None = None
    begun_ms: int | None = None
    ended_ms: int | None = None
    forgotten_ms: int | None = None

    def read_as(self, result: Result) -> Evidence:
        """With all that a worker told of its answer, as far as its release tells it."""
        told = result._asdict()
        known = {name: told[name] for name in _OF_RESULT if told.get(name)}
        if result.outcome is Outcome.ANSWERED:
            known["answer"] = result.text
        if result.ended_ms:
            known["begun_ms"] = result.ended_ms - result.compute_us // 1000
            known["queued_ms"] = known["begun_ms"] - result.queue_ms
        return self._replace(**known)


_OF_RESULT = (
    *("confidence", "alternatives", "members", "of_members", "stopped"),
    *("bundle", "digest", "worker", "ended_ms"),
)


class Kept(NamedTuple):
    """An image that is to be kept, and which evidence of its batch it belongs to."""

    number: int
    image: bytes


class Batch(NamedTuple):
    """What one front process hands over at once.

    ``run`` names the process. ``first``: so many it has handed over before; so many it has
    ``dropped``, because nobody took them.
    """

    run: str
    first: int
    dropped: int
    evidence: tuple[Evidence, ...]
    images: tuple[Kept, ...] = ()

    def to_bytes(self) -> bytes:
        """One line of JSON, and behind it the images."""
        head = {
            **{"run": self.run, "first": self.first, "dropped": self.dropped},
            "columns": Evidence._fields,
            "evidence": self.evidence,
            "images": [(kept.number, len(kept.image)) for kept in self.images],
        }
        # What is no Unicode, a worker's half of a surrogate pair, is no reason to lose the rest.
        line = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        return b"\n".join((line, b"".join(kept.image for kept in self.images)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Batch:
        """The inverse. Of a front of another release, what both know.

        Raises:
            ValueError: this is none.
        """
        line, _, rest = data.partition(b"\n")
        try:
            head: dict[str, Any] = json.loads(line)
            known = [name if name in Evidence._fields else None for name in head["columns"]]
            evidence = tuple(
                Evidence(**{name: value for name, value in zip(known, row, strict=True) if name})
                for row in head["evidence"]
            )
            images, at = [], 0
            for number, size in head["images"]:
                images.append(Kept(number, rest[at : at + size]))
                at += size
            return cls(head["run"], head["first"], head["dropped"], evidence, tuple(images))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no batch of evidence: {error!r}") from error
