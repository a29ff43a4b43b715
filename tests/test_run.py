"""``make run``: from nothing to an answer, through kills, to nothing again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import requests

from deploy import run as run_script
from tests.redis_process import free_port
from tests.service_process import ROOT, SAMPLE, SAMPLE_ANSWER, another_image, end, request_body
from workers.contract.logbook import Logbook

# With these, who has the password could write any file, stop Redis, or lead it away.
FORBIDDEN = (
    "CONFIG SET dir /tmp",
    "DEBUG SLEEP 0",
    "MODULE LOAD x",
    "SHUTDOWN",
    "REPLICAOF 127.0.0.1 1",
    "SLAVEOF 127.0.0.1 1",
    "SAVE",
    "BGREWRITEAOF",
    "FLUSHALL",
    "ACL LIST",
    "MONITOR",
)


class Run:
    """A running ``deploy.run`` and what it prints."""

    def __init__(self, folder: Path, *before: str, **environment: str) -> None:
        self.port, self.flower_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = folder / "output.txt"
        self.state = folder / "temporary files"
        self.state.mkdir()
        self.evidence = folder / "states" / "punctual" / "evidence"
        environment |= {
            "PATH": "/usr/bin:/bin",
            "TMPDIR": str(self.state),
            # One for all runs: what one has compiled, the next one loads.
            "XDG_CACHE_HOME": str(folder.parent / "caches"),
            "XDG_STATE_HOME": str(folder / "states"),
            "WEB_PORT": str(self.port),
            "FLOWER_PORT": str(self.flower_port),
        }
        with self._output.open("wb") as output:
            self.process = psutil.Popen(
                [*before, sys.executable, "-m", "deploy.run"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self._output.read_text()

    def wait_for_output(self, text: str) -> None:
        until = time.monotonic() + 60
        while text not in self.output():
            assert time.monotonic() < until, self.output()
            time.sleep(0.1)

    def redis_url(self) -> str:
        """The one that it shows."""
        (url,) = re.findall(r"^  Redis  (\S+)$", self.output(), re.MULTILINE)
        return url

    def find(self, words: str) -> list[psutil.Process]:
        """The processes of this service whose command holds the words."""
        found = []
        for child in self.process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if words in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def program(self, words: str, within_s: float = 10) -> psutil.Process:
        """The one process that supervisord itself has started with these words."""
        until = time.monotonic() + within_s
        while True:
            with contextlib.suppress(psutil.Error):
                # By command line: where the path has a space, supervisord is called python.
                started = [
                    p for p in self.find(words) if "supervisord" in " ".join(p.parent().cmdline())
                ]
                if len(started) == 1:
                    return started[0]
            assert time.monotonic() < until, f"no {words!r}\n{self.output()}"
            time.sleep(0.1)

    def answers_again(self, within_s: float) -> None:
        """Images that nobody sent before: a kept answer would prove nothing of the workers."""
        until = time.monotonic() + within_s
        while True:
            body = request_body(image=another_image(time.time_ns()))
            try:
                status = requests.post(f"{self.url}/inference", json=body, timeout=2).status_code
            except requests.RequestException:
                status = 0
            if status == 200:
                return
            assert time.monotonic() < until, f"last status {status}\n{self.output()}"
            time.sleep(0.2)


@contextlib.contextmanager
def started(folder: Path, *before: str, **environment: str) -> Iterator[Run]:
    running = Run(folder, *before, **environment)
    try:
        yield running
    finally:
        end(running.process)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with started(tmp_path) as running:
        yield running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_make_run_serves_until_it_is_stopped_and_leaves_nothing(
    run: Run, number: signal.Signals
) -> None:
    """Ctrl-C, kill, and a closed terminal."""
    run.wait_for_output(f"The sample image reads: {SAMPLE_ANSWER}")
    assert f"POST {run.url}/inference" in run.output()
    first = requests.post(f"{run.url}/inference", data=json.dumps(SAMPLE), timeout=5)
    assert first.headers["Punctual-Source"] == "computed"
    assert requests.get(f"http://127.0.0.1:{run.flower_port}/", timeout=10).status_code == 200

    family = run.process.children(recursive=True)
    assert len(family) >= 7
    run.process.send_signal(number)

    assert run.process.wait(timeout=30) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert not list(run.state.iterdir())
    with Logbook(run.evidence, 1_000) as logbook:
        assert [reply.answer for reply in logbook.of(SAMPLE["esun_uuid"], 9)] == [SAMPLE_ANSWER]


def test_every_killed_part_comes_back(run: Run) -> None:
    run.wait_for_output("The sample image reads")
    for part in ("workers.logbook", "celery -A workers worker", "gunicorn", "redis-server"):
        run.program(part).kill()
        run.answers_again(within_s=30)


@pytest.mark.parametrize("part", ["run.py", "supervisord"])
def test_nothing_outlives_what_started_it(run: Run, part: str) -> None:
    """Killed, neither can stop anything any more."""
    run.wait_for_output("The sample image reads")
    family = [run.process, *run.process.children(recursive=True)]
    if part == "supervisord":
        assert run.find("supervisord.conf")
        run.find("supervisord.conf")[0].kill()
    else:
        run.process.kill()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    if part == "supervisord":
        assert run.process.returncode == 128 + signal.SIGKILL
        assert not list(run.state.iterdir())


def test_it_serves_on_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    """As in ``make run | head``: its reader goes before the introduction comes."""
    with started(tmp_path, "sh", "-c", '"$@" | head -c 1; read forever', "sh") as run:
        run.answers_again(within_s=60)
        (supervisord,) = run.find("supervisord.conf")
        supervisord.parent().terminate()
        _, alive = psutil.wait_procs([supervisord, supervisord.parent()], timeout=30)
        assert not alive
        assert "Error" not in run.output()


def test_a_locale_without_the_character_and_a_user_without_a_name(tmp_path: Path) -> None:
    nameless = ("unshare", "--user", "--map-user=54321")
    if subprocess.run([*nameless, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system gives nobody a user namespace")
    with started(tmp_path, *nameless, PYTHONIOENCODING="ascii") as run:
        run.wait_for_output("The sample image reads: \\u5fb7")
        run.process.terminate()
        assert run.process.wait(timeout=30) == 0


def test_what_nohup_has_ignored_stays_ignored(tmp_path: Path) -> None:
    with started(tmp_path, "nohup") as run:
        run.wait_for_output("The sample image reads")
        run.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        run.answers_again(within_s=10)
        run.process.terminate()
        assert run.process.wait(timeout=30) == 0


def test_its_redis_obeys_nobody_else_and_administers_for_nobody(run: Run) -> None:
    """With CONFIG, any user of the machine could write files as the owner."""
    run.wait_for_output("The sample image reads")
    port = int(run.redis_url().rpartition(":")[2].partition("/")[0])
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(run.redis_url()) as client:
        assert client.ping()
        for command in FORBIDDEN:
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command.split())
        assert client.info()
    assert run.find("redis-server")
    secret = run.redis_url().partition(":")[2].partition("@")[0].rpartition(":")[2]
    for process in [run.process, *run.process.children(recursive=True)]:
        assert secret not in " ".join(process.cmdline())


def test_there_are_as_many_worker_processes_as_the_container_has_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKER_PROCESSES", raising=False)
    monkeypatch.setattr(run_script, "usable_cores", lambda: 3)
    environment = run_script.service_environment(tmp_path, "redis-server", 1, 2)
    assert environment["WORKER_PROCESSES"] == "3"


@pytest.mark.parametrize(
    ("settings", "message", "status"),
    [
        ({"WEB_PORT": "x"}, "WEB_PORT=x is no port", 1),
        ({"FLOWER_PORT": "70000"}, "FLOWER_PORT=70000 is no port", 1),
        ({"WEB_PORT": "8321", "FLOWER_PORT": "8321"}, "are both 8321", 1),
        # As front and workers end.
        ({"LEASE_MS": "abc"}, "Cannot start: LEASE_MS: ", 3),
        ({"ENGINE": "steam"}, "Cannot start: ENGINE: ", 3),
        ({"BUNDLE": "bundles/none"}, "bundles/none", 1),
    ],
)
def test_impossible_settings_get_a_clear_message(
    settings: dict[str, str], message: str, status: int
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "deploy.run"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "WEB_PORT": str(free_port()), **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.returncode == status
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_a_taken_port_gets_a_clear_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "deploy.run"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "WEB_PORT": str(port)},
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert run.returncode == 1
    assert f"Port {port} is taken by process {os.getpid()} (" in run.stderr
    assert "Choose another one: make run WEB_PORT=" in run.stderr
