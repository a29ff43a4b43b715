"""The container that SageMaker runs: /ping, /invocations, SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.redis_process import free_port
from tests.service_process import ROOT, SAMPLE_ANSWER, another_image, request_body

COMMAND = [sys.executable, "-m", "deploy.serverless.sagemaker"]


class Container:
    """The process that runs in it."""

    def __init__(self, log: Path, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*COMMAND, "serve"],
                env={**os.environ, "REDIS_URL": "", "SAGEMAKER_BIND_TO_PORT": str(self.port)}
                | variables,
                cwd=ROOT,
                stderr=stream,
            )

    def ping(self) -> int | None:
        try:
            return requests.get(f"{self.url}/ping", timeout=5).status_code
        except requests.ConnectionError:
            assert self.process.poll() is None, self.log.read_text()
            return None

    def wait_for(self, status: int) -> None:
        until = time.monotonic() + 60
        while self.ping() != status:
            assert time.monotonic() < until
            time.sleep(0.02)

    def invoke(self, data: Any, path: str = "/invocations") -> requests.Response:
        data = data if isinstance(data, bytes) else json.dumps(data)
        return requests.post(f"{self.url}{path}", data=data, timeout=30)

    def say(self, words: bytes) -> bytes:
        """To a server that closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(words)
            return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("sagemaker")
    cache = str(folder.parent / "engine-cache")
    running = Container(folder / "log", MAX_IMAGE_BYTES="100000", THREADS="1", ENGINE_CACHE=cache)
    try:
        running.wait_for(503)
        early = running.invoke(request_body())
        assert early.json()["type"] == "urn:punctual:problem:no-worker-ready"
        running.wait_for(200)
        yield running
        with ThreadPoolExecutor() as callers:
            # What it has begun it ends.
            calls = [callers.submit(running.invoke, request_body()) for _ in range(3)]
            calls[0].result(30)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(timeout=30) == 0
            for call in calls:
                assert call.exception(30) is not None or call.result().status_code == 200
    finally:
        running.process.kill()
        running.process.wait()
    assert "Traceback" not in running.log.read_text()


def test_the_sample_is_read(container: Container) -> None:
    asked = request_body()
    reply = container.invoke(asked)
    assert reply.status_code == 200, reply.text
    assert reply.json()["answer"] == SAMPLE_ANSWER
    assert reply.json()["esun_uuid"] == asked["esun_uuid"]
    assert reply.headers["Punctual-Source"] == "computed"


def test_many_at_once_are_answered_or_told(container: Container) -> None:
    with ThreadPoolExecutor(40) as callers:
        asked = [request_body(image=another_image(number)) for number in range(40)]
        replies = list(callers.map(container.invoke, asked))
    assert {reply.status_code for reply in replies} <= {200, 503}
    assert replies[0].status_code == 200
    for reply, sent in zip(replies, asked, strict=True):
        assert reply.json()["esun_uuid"] == sent["esun_uuid"]


@pytest.mark.parametrize(
    ("data", "path", "status"),
    [
        (b"", "/invocations", 400),
        (request_body(image="AAAA"), "/invocations", 422),
        (request_body(), "/elsewhere", 404),
        (bytes(1_000_000), "/invocations", 413),
    ],
)
def test_what_is_wrong_is_a_problem(
    container: Container, data: Any, path: str, status: int
) -> None:
    reply = container.invoke(data, path)
    assert (reply.status_code, reply.json()["status"]) == (status, status)
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (b"POST /invocations HTTP/1.1\r\n\r\n", 411),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"DELETE /invocations HTTP/1.1\r\n\r\n", 501),
        (b"nothing of this kind\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", 408),
    ],
)
def test_what_http_cannot_read_is_a_problem(
    container: Container, words: bytes, status: int
) -> None:
    head, _, body = container.say(words).partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["status"] == status


def test_a_bundle_that_cannot_be_served_is_told_in_one_line(tmp_path: Path) -> None:
    container = Container(tmp_path / "log", BUNDLE=str(tmp_path))
    assert container.process.wait(timeout=60) == 1
    told = container.log.read_text().splitlines()[-1]
    assert told == f"Cannot start: {tmp_path}/manifest.json is missing or not a regular file"
