"""The score: what the callers of one run got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from statistics import mean

from bench.caller import CLOSED, Copy, Record
from bench.quantiles import quantile, quantiles

# Replies that turn a caller away; 4xx about the request itself are not expected in a measurement.
_FAILED = 400


@dataclass(frozen=True)
class Score:
    """The records of one run, counted.

    A uuid is answered when any of its copies brought an answer within the limit. Times are
    milliseconds: of answers from when the first copy was due, of refusals from their own copy.
    """

    records: Sequence[Record]
    seconds: float

    @property
    def answered(self) -> list[Record]:
        """Those that got an answer in time."""
        return [record for record in self.records if record.answer is not None]

    @property
    def share(self) -> float | None:
        """How many of all uuids were answered, 0-1."""
        return len(self.answered) / len(self.records) if self.records else None

    @property
    def goodput(self) -> float:
        """Uuids answered in time, for each second in which they were sent."""
        return len(self.answered) / self.seconds

    @property
    def full_goodput(self) -> float:
        """The same, of answers by all members."""
        return sum(record.full for record in self.records) / self.seconds

    @property
    def accuracy(self) -> float | None:
        """How many of the answers are what the image shows, 0-1."""
        right = [record.answer == record.call.label for record in self.answered]
        return mean(right) if right else None

    @property
    def members(self) -> float | None:
        """The mean number of members that answered, where the server says so."""
        counts = [record.members[0] for record in self.answered if record.members]
        return mean(counts) if counts else None

    @property
    def statuses(self) -> dict[int, int]:
        """Copies for each status; 0 is no reply, ``CLOSED`` a closed connection."""
        return dict(sorted(Counter(copy.status for copy in self._copies).items()))

    @property
    def refused_ms(self) -> list[float]:
        """How long callers waited to be turned away: those whose requests were not taken in."""
        return [
            copy.took_ms
            for copy in self._copies
            if copy.status >= _FAILED and copy.status != HTTPStatus.GATEWAY_TIMEOUT
        ]

    @property
    def late_ms(self) -> list[float]:
        """How long callers waited to be told, at their deadline, that there is no answer yet."""
        return [copy.took_ms for copy in self._copies if copy.status == HTTPStatus.GATEWAY_TIMEOUT]

    @property
    def closed_ms(self) -> list[float]:
        """How long it took until a connection was refused, or closed without a reply."""
        return [copy.took_ms for copy in self._copies if copy.status == CLOSED]

    @property
    def unanswered(self) -> int:
        """Copies that were told nothing within the limit."""
        return self.statuses.get(0, 0)

    @property
    def times_ms(self) -> list[float]:
        """Of the answers."""
        return [record.took_ms for record in self.answered]

    @property
    def lag_p99_ms(self) -> float | None:
        """How late the caller itself was."""
        return quantile([copy.lag_ms for copy in self._copies], 0.99)

    @property
    def _copies(self) -> list[Copy]:
        return [copy for record in self.records for copy in record.copies]

    def columns(self) -> dict[str, float | None]:
        """What every scenario tells of its answers."""
        return {
            "uuids": len(self.records),
            "in time %": percent(self.share),
            **quantiles(self.times_ms),
            "accuracy %": percent(self.accuracy),
            "members": self.members,
            "refused": len(self.refused_ms),
            "refusal p99 ms": quantile(self.refused_ms, 0.99),
            "told late": len(self.late_ms),
            "late p99 ms": quantile(self.late_ms, 0.99),
            "closed": len(self.closed_ms),
            "closed p99 ms": quantile(self.closed_ms, 0.99),
            "no reply": self.unanswered,
            "caller lag p99 ms": self.lag_p99_ms,
        }


def percent(share: float | None) -> float | None:
    """Of a share, 0-1."""
    return None if share is None else 100 * share
