"""How worker processes share the cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers import cores
from workers.cores import Share, claim, container_quota, share, usable_cores


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
    ("membership", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/pod/app", {"pod/cpu.max": "200000 100000", "pod/app/cpu.max": "max 100000"}, 2.0),
        ("0::/pod/app", {"pod/cpu.max": "50000 100000", "pod/app/cpu.max": "100000 100000"}, 0.5),
        ("3:cpu,cpuacct:/", {"cpu,cpuacct/cpu.cfs_quota_us": "200000"}, 2.0),
        ("3:cpu:/docker/abc", {"cpu/cpu.cfs_quota_us": "200000"}, 2.0),
        ("3:cpu:/pod/app", {"cpu/pod/cpu.cfs_quota_us": "300000"}, 3.0),
        ("3:cpu:/", {"cpu/cpu.cfs_quota_us": "-1"}, None),
        ("4:cpuset:/\n3:cpu:/\n0::/", {"cpu/cpu.cfs_quota_us": "100000"}, 1.0),
        ("4:cpuset:/", {}, None),
    ],
)
def test_the_smallest_quota_around_a_process_counts(
    tmp_path: Path, membership: str, files: dict[str, str], expected: float | None
) -> None:
    (tmp_path / "membership").write_text(membership + "\n")
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
        file.with_name("cpu.cfs_period_us").write_text("100000\n")
    assert container_quota(tmp_path / "membership", tmp_path) == expected


@pytest.mark.parametrize(
    ("quota", "expected"), [(None, 64), (2.0, 2), (2.5, 2), (0.5, 1), (128.0, 64)]
)
def test_a_quota_bounds_how_many_cores_are_usable(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(cores, "container_quota", lambda: quota)
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
