"""verify.py: what it lets pass, and what it tells of everything else."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.bench.scripted import Behaviour, Script, ScriptedServer
from tests.redis_process import free_port
from tests.service_process import ROOT, SAMPLE

VERSION = {"Punctual_Bundle": "handwriting/3"}
SHORT = ("--rate", "40", "--seconds", "0.5")


def verify(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    # As on a server: without any package.
    command = [sys.executable, "-I", "-S", "deploy/pipeline/verify.py", url, *SHORT, *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def after(first: int, script: Script) -> Behaviour:
    """Good for so many requests, the sample among them; then as the script says."""
    seen = set[str]()

    def behaviour(body: dict[str, str], _: int) -> Script:
        seen.add(body["esun_uuid"])
        return Script(**VERSION) if len(seen) <= first else script

    return behaviour


def test_a_service_as_it_should_be_passes() -> None:
    with ScriptedServer(lambda *_: Script(**VERSION)) as server:
        run = verify(server.url, "--bundle", "handwriting/3", "--answer", "德")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "ready",
        "the sample request reads 德",
        "handwriting/3 answers",
        "20 uuids: 100.0 % at the first try, 0 without an answer",
    ]
    assert len(server.bodies) == 21
    for name in ("esun_uuid", "image"):
        assert len({body[name] for body in server.bodies}) == 21
    sample = base64.b64decode(SAMPLE["image"])
    assert base64.b64decode(server.bodies[0]["image"]).endswith(sample[2:])


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (lambda *_: Script(500), "the sample request was not answered: status 500"),
        (lambda *_: Script(fields={"answer": "王"}, **VERSION), "reads 王, not 德"),
        (lambda *_: Script(Punctual_Bundle="handwriting/2"), "handwriting/2 answers, not"),
        (after(1, Script(503)), "20 uuids: 0.0 % at the first try, 20 without an answer"),
        (
            after(11, Script(Punctual_Bundle="handwriting/2")),
            "20 uuids: 50.0 % at the first try, 10 without an answer",
        ),
        (
            lambda _, copy: Script(200 if copy > 1 else 503, **VERSION),
            "the sample request was not answered",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_told(behaviour: Callable[..., Script], told: str) -> None:
    with ScriptedServer(behaviour) as server:
        run = verify(server.url, "--bundle", "handwriting/3", "--answer", "德")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"{server.url}: ")
    assert told in line


def test_who_answers_late_is_told() -> None:
    seen = set[str]()

    def behaviour(body: dict[str, str], copy: int) -> Script:
        seen.add(body["esun_uuid"])
        return Script(**VERSION) if copy > 1 or len(seen) == 1 else Script(504)

    with ScriptedServer(behaviour) as server:
        run = verify(server.url)
    assert run.returncode == 1
    assert "20 uuids: 0.0 % at the first try, 0 without an answer" in run.stderr


def test_an_algorithm_is_awaited_and_asked_under_its_name() -> None:
    with ScriptedServer(lambda *_: Script(Punctual_Bundle="trial/3")) as server:
        as_told = ("--algorithm", "trial", "--bundle", "handwriting/3")
        assert verify(server.url, *as_told).returncode == 0
        server.state = "loading"
        run = verify(server.url, "--algorithm", "trial", "--ready-within", "0.1")
    assert run.returncode == 1
    assert "not ready: loading" in run.stderr
    assert set(server.paths) == {"/inference/trial"}


def test_nobody_there_is_told() -> None:
    run = verify(f"http://127.0.0.1:{free_port()}")
    assert run.returncode == 1
    assert "not ready: " in run.stderr
