"""What a container is granted, as its control groups tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.container import cpu_quota, free_bytes


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
    assert cpu_quota(tmp_path / "membership", tmp_path) == expected


UNIFIED = "inactive_file 100\nactive_file 7"
OLD = "inactive_file 1\ntotal_inactive_file 100"
HUGE = "9223372036854771712"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/", {}, 2_048_000),
        ("0::/", {"memory.max": "max", "memory.current": "1"}, 2_048_000),
        ("0::/", {"memory.max": "9000", "memory.current": "4000", "memory.stat": UNIFIED}, 5_100),
        ("0::/", {"memory.max": "9000", "memory.current": "9900", "memory.stat": UNIFIED}, 0),
        (
            "0::/pod/app",
            {
                **{"pod/memory.max": "9000", "pod/memory.current": "1", "pod/memory.stat": UNIFIED},
                **{"pod/app/memory.max": "max", "pod/app/memory.current": "1"},
            },
            9_099,
        ),
        (
            "4:memory:/docker/abc",
            {
                "memory/memory.limit_in_bytes": "9000",
                "memory/memory.usage_in_bytes": "4000",
                "memory/memory.stat": OLD,
            },
            5_100,
        ),
        (
            "4:memory:/",
            {
                "memory/memory.limit_in_bytes": HUGE,
                "memory/memory.usage_in_bytes": "4000",
                "memory/memory.stat": OLD,
            },
            2_048_000,
        ),
        ("3:cpu:/", {"memory.max": "9000"}, 2_048_000),
    ],
)
def test_what_is_least_free_counts(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    (tmp_path / "membership").write_text(membership + "\n")
    (tmp_path / "meminfo").write_text("MemTotal: 16000 kB\nMemAvailable:    2000 kB\nHuge: 0\n")
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    free = free_bytes(tmp_path / "membership", tmp_path, tmp_path / "meminfo")
    assert free == expected
