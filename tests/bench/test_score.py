"""What counts as answered, refused, unanswered, right and full."""

from __future__ import annotations

import pytest

from bench.caller import CLOSED, Call, Copy, Record
from bench.quantiles import quantile, quantiles
from bench.score import Score


def record(
    *copies: tuple[int, float],
    answer: str | None = None,
    members: tuple[int, int] | None = None,
) -> Record:
    made = Record(Call("a", b"", "德", 0.0), [Copy(1.0, *copy) for copy in copies], answer)
    made.members = members
    made.took_ms = sum(took_ms for _, took_ms in copies)
    return made


RECORDS = [
    record((200, 10.0), answer="德", members=(5, 5)),
    record((200, 30.0), answer="美", members=(2, 5)),
    record((0, 1_000.0), (200, 5.0), answer="德", members=(5, 5)),
    record((503, 2.0)),
    record((504, 990.0), (503, 4.0)),
    record((0, 0.0), (0, 0.0), (CLOSED, 3.0)),
]


def test_a_uuid_is_answered_by_any_of_its_copies() -> None:
    score = Score(RECORDS, seconds=2)
    assert score.share == 3 / 6
    assert score.goodput == 1.5
    assert score.full_goodput == 1.0
    assert score.accuracy == 2 / 3
    assert score.members == 4
    assert score.times_ms == [10.0, 30.0, 1_005.0]


def test_copies_are_counted_by_their_status() -> None:
    score = Score(RECORDS, seconds=2)
    assert score.statuses == {CLOSED: 1, 0: 3, 200: 3, 503: 2, 504: 1}
    assert score.refused_ms == [2.0, 4.0]
    assert score.late_ms == [990.0]
    assert score.unanswered == 3
    assert score.closed_ms == [3.0]
    assert score.lag_p99_ms == 1.0


def test_a_server_that_does_not_count_members_answers_in_full() -> None:
    assert record((200, 1.0), answer="德").full
    assert not record((503, 1.0)).full
    assert Score([record((200, 1.0), answer="德")], 1).members is None


def test_of_nothing_there_is_nothing() -> None:
    score = Score([], seconds=1)
    assert score.share is None
    assert score.accuracy is None
    assert score.goodput == 0
    assert score.columns()["p99 ms"] is None


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1, 100.0)]
)
def test_a_quantile_is_one_of_the_times(share: float, expected: float) -> None:
    assert quantile([float(number) for number in range(100, 0, -1)], share) == expected


def test_quantiles_are_named_as_columns() -> None:
    assert quantiles([3.0]) == {"p50 ms": 3.0, "p95 ms": 3.0, "p99 ms": 3.0}
