"""How worker processes share the cores."""

from __future__ import annotations

import pytest

from workers import cores
from workers.cores import Share, claim, share, usable_cores


@pytest.mark.parametrize(
    ("processes", "cores", "expected"),
    [
        (1, 1, [Share(frozenset({0}), 1)]),
        (1, 2, [Share(frozenset({0, 1}), 2)]),
        (2, 2, [Share(frozenset({0}), 1), Share(frozenset({1}), 1)]),
        (2, 8, [Share(frozenset({0, 1, 2, 3}), 4), Share(frozenset({4, 5, 6, 7}), 4)]),
        (2, 3, [Share(frozenset({0}), 1), Share(frozenset({1, 2}), 2)]),
    ],
)
def test_processes_split_the_cores(processes: int, cores: int, expected: list[Share]) -> None:
    assert [share(i, processes, range(cores), None) for i in range(processes)] == expected


def test_more_processes_than_cores_take_turns_with_one_thread_each() -> None:
    shares = [share(index, 4, {0, 1}, None) for index in range(4)]
    assert [sorted(part.cores) for part in shares] == [[0], [1], [0], [1]]
    assert {part.threads for part in shares} == {1}


def test_only_the_cores_that_may_be_used_are_shared() -> None:
    assert share(1, 2, {3, 5}, None) == Share(frozenset({5}), 1)


@pytest.mark.parametrize(
    ("quota", "processes", "threads"), [(1.0, 1, 1), (2.0, 1, 2), (2.5, 2, 1), (0.5, 1, 1)]
)
def test_a_limited_container_counts_threads_and_pins_nothing(
    quota: float, processes: int, threads: int
) -> None:
    """Its neighbours see the same cores and would pin themselves to the same ones."""
    assert share(0, processes, range(8), quota) == Share(frozenset(), threads)


def test_a_quota_beyond_the_cores_limits_nothing() -> None:
    assert share(0, 1, range(2), 4.0) == Share(frozenset({0, 1}), 2)


@pytest.mark.parametrize(
    ("quota", "expected"), [(None, 64), (2.0, 2), (2.5, 2), (0.5, 1), (128.0, 64)]
)
def test_a_quota_bounds_how_many_cores_are_usable(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert usable_cores() == expected


def test_cores_that_another_worker_has_are_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = [70_001, 70_002], [70_002, 70_003]
    monkeypatch.setattr(cores, "_claims", [])
    assert claim(ours)
    assert not claim(theirs)
    assert claim([70_003]), "a claim in part was not taken back"
    for claimed in cores._claims:
        claimed.close()
    assert claim(theirs)
    for claimed in cores._claims:
        claimed.close()
