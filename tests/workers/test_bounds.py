"""A task is beyond its bounds by its time or by the memory of its process."""

from __future__ import annotations

import os
import subprocess

import pytest

from workers import bounds
from workers.bounds import Watch, resident_bytes


def test_a_task_is_ended_when_its_time_is_over_and_not_before() -> None:
    now = [100.0]
    watch = Watch(2_000, lambda: 1 << 50, lambda _: None, lambda: now[0])
    assert watch.beyond({"a": 1}) == {}
    now[0] = 101.9
    assert watch.beyond({"a": 1, "b": 1}) == {}
    now[0] = 102.1
    assert list(watch.beyond({"a": 1, "b": 1})) == ["a"]


def test_time_counts_anew_for_each_task() -> None:
    now = [100.0]
    watch = Watch(2_000, lambda: 1 << 50, lambda _: None, lambda: now[0])
    watch.beyond({"a": 1})
    now[0] = 101.5
    watch.beyond({"b": 1})
    now[0] = 103.0
    assert watch.beyond({"b": 1}) == {}


def test_a_task_is_ended_when_its_process_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "resident_bytes", {1: 900, 2: 1_100}.__getitem__)
    watch = Watch(2_000, lambda: 1_000, lambda _: None, lambda: 0.0)
    assert list(watch.beyond({"small": 1, "large": 2})) == ["large"]


def test_a_task_whose_process_is_gone_is_not_given_up() -> None:
    """It is another one's to take over, which a task that was beyond its bounds is not."""
    now = [100.0]
    watch = Watch(2_000, lambda: 0, lambda _: None, lambda: now[0])
    lost = subprocess.Popen(["true"])
    watch.beyond({"task": lost.pid})
    os.waitid(os.P_PID, lost.pid, os.WEXITED | os.WNOWAIT)
    now[0] = 103.0
    assert watch.beyond({"task": lost.pid}) == {}, "nobody has collected it yet"
    lost.wait()
    assert watch.beyond({"task": lost.pid}) == {}


def test_the_memory_of_a_process_is_read() -> None:
    before = resident_bytes(os.getpid())
    hoard = b"x" * (64 << 20)
    assert resident_bytes(os.getpid()) - before > len(hoard) // 2
    assert resident_bytes(2**22 + 1) == 0
