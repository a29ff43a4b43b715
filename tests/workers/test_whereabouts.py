"""How commands find the service of ``make run``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.whereabouts import NAMES, Unclear, find

# As deploy/run.py: it tells of itself while it runs.
SERVICE = """
import sys, types
from workers.whereabouts import noted
with noted({"REDIS_URL": sys.argv[2], "BUNDLES": "/store"}):
    print("noted", flush=True)
    sys.stdin.read()
"""


class Services:
    """Processes that tell of services, under a home of their own."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, url: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, "deploy.run", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        assert process.stdout
        assert process.stdout.readline() == "noted\n"
        return process

    def stop(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = Services()
    yield found
    found.stop()


def test_the_only_one_is_found(services: Services, tmp_path: Path) -> None:
    services.start("redis://:secret@127.0.0.1:1/0")
    assert find() == {
        "REDIS_URL": "redis://:secret@127.0.0.1:1/0",
        "BUNDLES": "/store",
        "ENGINE_CACHE": "",
        "EVIDENCE": "",
    }
    assert tuple(find()) == NAMES
    (note,) = (tmp_path / "punctual" / "services").iterdir()
    assert note.stat().st_mode & 0o077 == 0, "there is a password in it"


def test_of_several_the_caller_has_to_say_which(services: Services) -> None:
    services.start("redis://:secret@127.0.0.1:1/0")
    services.start("redis://:secret@127.0.0.1:2/0")
    with pytest.raises(Unclear, match="2 services run here") as error:
        find()
    assert "secret" not in str(error.value)
    assert find("redis://:secret@127.0.0.1:2/0")["REDIS_URL"].endswith(":2/0")
    assert find("redis://elsewhere:6379/0") == {}


def test_one_that_has_ended_or_was_killed_is_not_found(services: Services) -> None:
    ended, killed = services.start("redis://127.0.0.1:1/0"), services.start("redis://127.0.0.1:2/0")
    ended.communicate("")
    killed.kill()
    killed.wait()
    with pytest.raises(Unclear, match="no service"):
        find()
