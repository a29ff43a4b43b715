"""Programs are watched, measured, and ended with their children."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.errors import TargetUnavailable
from bench.processes import Processes

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('ready', flush=True); input()"],
                         stdin=subprocess.PIPE)
child.wait()
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "log.txt")
    yield made
    made.stop()


def wait_for(path: Path, text: str) -> None:
    until_s = time.monotonic() + 20
    while text not in path.read_text():
        assert time.monotonic() < until_s, path.read_text()
        time.sleep(0.01)


def test_nothing_is_left(processes: Processes, tmp_path: Path) -> None:
    processes.start("family", [sys.executable, "-c", PARENT], {})
    wait_for(tmp_path / "log.txt", "ready")
    family = processes.family("family")
    assert len(family) == 2
    assert processes.resident_bytes("family") > 1_000_000
    assert processes.cpu_s()["family"] > 0
    processes.require_alive()

    processes.stop()

    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)


def test_who_ended_by_itself_is_told_with_its_last_words(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start("server", [sys.executable, "-c", "print('no such port')"], {})
    wait_for(tmp_path / "log.txt", "no such port")
    processes._parts["server"].wait()
    with pytest.raises(TargetUnavailable, match="server ended by itself:\nno such port"):
        processes.require_alive()


def test_a_part_that_is_not_there_weighs_nothing(processes: Processes) -> None:
    assert processes.resident_bytes("front") == 0
