"""Environments of the peers: what is installed comes first, then what we have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import environments
from bench.environments import python_for
from bench.errors import TargetUnavailable
from bench.peer import PEERS


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "_REQUIREMENTS", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return tmp_path


def test_an_environment_has_our_packages_and_is_made_once(requirements: Path) -> None:
    (requirements / "nothing.txt").write_text("# what we have will do\n")
    cache = requirements / "cache"
    python = python_for("nothing", cache)
    found = subprocess.run(
        [python, "-c", "import sys, flask; print(sys.prefix)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(found.stdout.strip()) == python.parents[1]
    made = python.parent.stat().st_mtime_ns
    assert python_for("nothing", cache) == python
    assert python.parent.stat().st_mtime_ns == made


def test_what_cannot_be_installed_is_told(requirements: Path) -> None:
    (requirements / "missing.txt").write_text("no-such-package-anywhere==1.0\n")
    with pytest.raises(TargetUnavailable, match="no-such-package-anywhere"):
        python_for("missing", requirements / "cache")


def test_every_peer_has_pinned_requirements() -> None:
    for peer in PEERS.values():
        if peer.requirements:
            path = environments._REQUIREMENTS / f"{peer.requirements}.txt"
            lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            assert lines
            assert all("==" in line for line in lines)
