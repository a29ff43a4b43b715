"""How worker processes share the cores."""

from __future__ import annotations

import pytest

from workers.cores import Share, share


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
