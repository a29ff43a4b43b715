"""The door of the containers: its nginx.conf in a real nginx, where there is one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.redis_process import free_port
from tests.service_process import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONF = (ROOT / "deploy" / "nginx.conf").read_text()


class _Front(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Punctual-Uuid", "a-uuid")
        self.end_headers()
        self.wfile.write(b"the front")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class Door:
    """A running nginx, with its ports and folders put elsewhere."""

    def __init__(self, folder: Path, front: int, **limits: str) -> None:
        self.port, self.flower_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "access.log"
        conf = CONF
        for there, here in {
            "/tmp/": f"{folder}/",
            "/dev/stdout": str(self.log),
            "/dev/stderr": str(folder / "error.log"),
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "listen 5555": f"listen 127.0.0.1:{self.flower_port}",
            "        5555 ": f"        {self.flower_port} ",
            "http://web:8000": f"http://127.0.0.1:{front}",
            "http://flower:5555": f"http://127.0.0.1:{front}",
            **limits,
        }.items():
            assert there in conf, there
            conf = conf.replace(there, here)
        (folder / "nginx.conf").write_text(conf)
        (folder / "resolver.conf").write_text("resolver 127.0.0.1;")
        user = "user root; " if os.getuid() == 0 else ""
        self._process = subprocess.Popen(
            [str(NGINX), "-c", f"{folder}/nginx.conf", "-g", f"{user}daemon off;"]
        )

    def wait(self) -> None:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                assert self._process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)

    def exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are, and read all that comes back: status, headers, body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as caller:
            caller.sendall(request)
            reply = b""
            while more := caller.recv(65536):
                reply += more
        head, _, body = reply.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="module")
def front() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    doors: list[Door] = []

    def _start(front: int, **limits: str) -> Door:
        doors.append(Door(tmp_path, front, **limits))
        doors[-1].wait()
        return doors[-1]

    if not NGINX:
        pytest.skip("there is no nginx here: apt install nginx-light")
    yield _start
    for door in doors:
        door.stop()


CLOSE = b"Host: a\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        (b"nonsense\r\n\r\n", 400, "bad-request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "bad-request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/3.0\r\n\r\n", 505, "version-not-supported"),
        (b"GET /metrics HTTP/1.1\r\n" + CLOSE + b"\r\n", 404, "not-found"),
        (b"GET /problem HTTP/1.1\r\n" + CLOSE + b"\r\n", 404, "not-found"),
        (b"TRACE / HTTP/1.1\r\n" + CLOSE + b"\r\n", 405, "method-not-allowed"),
        (
            b"POST / HTTP/1.1\r\n" + CLOSE + b"Content-Length: 9999999\r\n\r\n",
            413,
            "too-large",
        ),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + CLOSE + b"\r\n", 414, "uri-too-long"),
        (
            b"GET / HTTP/1.1\r\n" + CLOSE + b"X: " + b"a" * 9000 + b"\r\n\r\n",
            431,
            "header-too-large",
        ),
        (
            b"POST / HTTP/1.1\r\n" + CLOSE + b"Transfer-Encoding: gzip\r\n\r\n",
            501,
            "not-implemented",
        ),
    ],
)
def test_what_nginx_answers_itself_is_a_problem(
    start, front: int, request_: bytes, status: int, kind: str
) -> None:
    got, headers, body = start(front).exchange(request_)
    assert got == status
    assert headers["Content-Type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["type"] == f"urn:punctual:problem:{kind}"
    assert problem["status"] == status
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert (status == 405) == ("Allow" in headers)


def test_without_a_front_it_says_so(start) -> None:
    reply = requests.get(f"{start(free_port()).url}/", timeout=10)
    assert reply.status_code == reply.json()["status"] == 503
    assert reply.json()["type"] == "urn:punctual:problem:no-front"
    assert reply.headers["Retry-After"] == "1"


def test_the_log_has_the_uuid(start, front: int) -> None:
    door = start(front)
    assert requests.post(f"{door.url}/inference", b"{}", timeout=10).ok
    door.stop()
    assert door.log.read_text().endswith(" uuid=a-uuid\n")


def test_the_metrics_of_flower_are_not_public(start, front: int) -> None:
    door = start(front)
    url = f"http://127.0.0.1:{door.flower_port}"
    assert requests.get(f"{url}/", timeout=10).text == "the front"
    for path in ("/metrics", "/%6detrics", "//metrics", "/x/../metrics"):
        status, _, _ = door.exchange(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert status == 404, path


def test_one_address_cannot_take_everything(start, front: int) -> None:
    """Uploads that never end, and as many requests as it may have."""
    limits = {"limit_conn requests 1000": "limit_conn requests 3", "uploads 32": "uploads 2"}
    door = start(front, **limits)
    large = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n{"
    with contextlib.ExitStack() as held:

        def hold(request: bytes) -> None:
            caller = held.enter_context(socket.create_connection(("127.0.0.1", door.port)))
            caller.sendall(request)
            # It is counted once nginx has read the header.
            time.sleep(0.1)

        hold(large)
        hold(large)
        status, headers, body = door.exchange(large)
        assert (status, headers["Retry-After"]) == (429, "1")
        assert json.loads(body)["type"] == "urn:punctual:problem:too-many-at-once"
        assert requests.post(f"{door.url}/", b"small", timeout=10).status_code == 200
        hold(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{")
        assert requests.post(f"{door.url}/", b"small", timeout=10).status_code == 429


def test_connections_that_send_nothing_make_room(start, front: int) -> None:
    door = start(front, **{"worker_connections 8000": "worker_connections 64"})
    with contextlib.ExitStack() as held:
        for _ in range(100):
            held.enter_context(socket.create_connection(("127.0.0.1", door.port)))
        assert requests.get(f"{door.url}/", timeout=10).text == "the front"


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST / HTT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{"],
)
def test_who_sends_slowly_loses_the_connection(start, front: int, sent: bytes) -> None:
    door = start(front, **{"_timeout 5s": "_timeout 100ms"})
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as caller:
        caller.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(1) == b""


@pytest.mark.parametrize(
    ("resolv", "resolver"),
    [
        ("search a\nnameserver 127.0.0.11\noptions ndots:0\n", "127.0.0.11"),
        ("nameserver 10.89.0.1\nnameserver 192.168.1.1\n", "10.89.0.1"),
        ("nameserver fd00::1\n", "[fd00::1]"),
    ],
)
def test_it_asks_the_name_server_of_its_container(
    tmp_path: Path, resolv: str, resolver: str
) -> None:
    """Docker's is not Podman's."""
    (tmp_path / "resolv.conf").write_text(resolv)
    script = (ROOT / "deploy" / "nginx.sh").read_text()
    script = script.replace("/etc/", f"{tmp_path}/").replace(
        "/tmp/resolver", f"{tmp_path}/resolver"
    )
    subprocess.run(["sh", "-c", script.replace("exec nginx", "true")], check=True)
    written = (tmp_path / "resolver.conf").read_text()
    assert written == f"resolver {resolver} valid=1s ipv6=off;\n"
    assert not re.search(r"resolver \d", CONF)
