"""The door of the front: what is let in, and what it costs nobody else."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from tests.service_process import SAMPLE, SAMPLE_ANSWER, Service, another_image, request_body

HURRIED = "Prefer: wait=0.9"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(Path(tmp_path_factory.mktemp("door")), light=True) as service:
        service.start(1)
        yield service


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def send(service: Service, data: bytes) -> socket.socket:
    connection = connect(service)
    connection.sendall(data)
    return connection


def whole_reply(connection: socket.socket) -> bytes:
    with connection:
        reply = b""
        while block := connection.recv(65_536):
            reply += block
        return reply


def raw(body: bytes, *headers: str) -> bytes:
    head = [
        "POST /inference HTTP/1.1",
        "Host: a",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"NOT HTTP AT ALL\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: sausage, chunked\r\n\r\n", 501),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nExpect: sausage\r\n\r\n", 417),
        (b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_whatever_is_no_http_gets_a_problem_document(
    door: Service, request_: bytes, status: int
) -> None:
    reply = whole_reply(send(door, request_))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"\r\nContent-Type: application/problem+json" in head
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize("padding", [0, 50_000, 900_000])
def test_a_connection_carries_one_request_after_the_other(door: Service, padding: int) -> None:
    connection = HTTPConnection("127.0.0.1", door.port, timeout=10)
    # A closed one would be opened anew, unnoticed.
    connection.auto_open = 0
    connection.connect()
    for _ in range(3):
        body = json.dumps({**request_body(), "padding": "A" * padding})
        connection.request("POST", "/inference", body, {"Content-Type": "application/json"})
        with connection.getresponse() as reply:
            assert reply.status == 200
            assert json.load(reply)["answer"] == SAMPLE_ANSWER
    connection.close()


def test_a_compressed_body_is_told_by_its_header(door: Service) -> None:
    reply = door.post(b"\x1f\x8b", Content_Encoding="gzip")
    assert reply.status_code == 415
    assert "Content-Encoding: gzip" in reply.json()["detail"]


def test_whose_callers_have_gone_is_neither_computed_nor_in_the_way(door: Service) -> None:
    """A front that was late finds calls whose second is over, and one that is fresh."""
    before = door.executions()
    front = door.front.children()[0]
    front.send_signal(signal.SIGSTOP)
    try:
        for number in range(50):
            send(
                door, raw(json.dumps(request_body(image=another_image(number))).encode(), HURRIED)
            ).close()
        late = [send(door, raw(json.dumps(request_body()).encode(), HURRIED)) for _ in range(3)]
        time.sleep(1.1)
    finally:
        front.send_signal(signal.SIGCONT)
    assert door.post(request_body()).status_code == 200
    for connection in late:
        reply = whole_reply(connection)
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert b"front-busy" in reply
    assert door.executions() == before + 1


def test_a_call_that_waited_for_the_front_has_only_the_rest_of_its_time(door: Service) -> None:
    front = door.front.children()[0]
    front.send_signal(signal.SIGSTOP)
    try:
        body = json.dumps(request_body()).encode()
        patient = send(door, raw(body, "Prefer: wait=20"))
        time.sleep(1.1)
    finally:
        front.send_signal(signal.SIGCONT)
    assert whole_reply(patient).startswith(b"HTTP/1.1 200 ")


def test_who_has_asked_is_answered_by_a_front_that_stops(door: Service) -> None:
    """Some wait for the ledger, the others for their turn to ask it."""
    front = door.front.children()[0]
    silent = connect(door)
    door.redis.send(signal.SIGSTOP)
    try:
        asked = [
            send(door, raw(json.dumps(request_body()).encode(), "Prefer: wait=5"))
            for _ in range(12)
        ]
        time.sleep(0.2)
        front.terminate()
        time.sleep(0.2)
    finally:
        door.redis.send(signal.SIGCONT)
    assert [whole_reply(each)[:13] for each in asked] == [b"HTTP/1.1 200 "] * 12
    assert whole_reply(silent) == b""
    door.wait_until(lambda: not front.is_running())
    door.wait_until(lambda: door.post(request_body()).status_code == 200)


def test_thousands_of_connections_that_send_nothing_lock_nobody_out(door: Service) -> None:
    with ExitStack() as idle:
        for _ in range(5_000):
            idle.enter_context(connect(door))
        body = request_body()
        tries = [door.post(body) for _ in range(3)]
        assert tries[-1].status_code == 200
        assert tries[-1].json()["answer"] == SAMPLE_ANSWER


def test_bodies_that_never_end_hold_up_no_other_large_ones(door: Service) -> None:
    padding = "A" * 400_000
    large = json.dumps({**SAMPLE, "esun_uuid": "large", "padding": padding}).encode()
    with ExitStack() as stalled:
        for _ in range(4):
            connection = stalled.enter_context(connect(door))
            connection.sendall(raw(large)[:300_000])
        assert door.post(large).status_code == 200


def test_a_body_that_stops_is_told(door: Service) -> None:
    reply = whole_reply(send(door, raw(b"{" * 1_000)[:-500]))
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"body-late" in reply


def test_a_full_line_turns_away_at_the_door_but_not_who_is_known(door: Service) -> None:
    kept = request_body()
    assert door.post(kept).status_code == 200
    worker = door.worker_processes()[0]
    worker.send_signal(signal.SIGSTOP)
    try:
        # Its heartbeat runs out; whoever asks then is refused, by the ledger and then at the door.
        door.wait_for("/readyz", 503)
        assert [door.post(request_body()).status_code for _ in range(5)] == [503] * 5
        assert re.search(r"turned away at the door: .*no-worker-ready", door.log())
        again = door.post(kept)
        assert again.status_code == 200
        assert again.headers["Punctual-Source"] == "kept"
    finally:
        worker.send_signal(signal.SIGCONT)
    door.wait_until_ready()
    door.wait_until(lambda: door.post(request_body()).status_code == 200)


def is_kept_out(service: Service, callers: ExitStack) -> bool:
    """Whether the kernel refuses one more caller; if not, it asks and stays."""
    try:
        connection = callers.enter_context(connect(service))
    except (ConnectionRefusedError, ConnectionResetError):  # reset: shut while it connected
        return True
    with suppress(ConnectionError):  # it was taken in at the last moment
        connection.sendall(raw(json.dumps(request_body()).encode()))
    return False


def test_when_refusing_takes_too_much_connections_are_refused_but_not_at_the_second_address(
    door: Service,
) -> None:
    worker = door.worker_processes()[0]
    worker.send_signal(signal.SIGSTOP)
    try:
        door.wait_for("/readyz", 503)
        with ExitStack() as callers:
            assert any(is_kept_out(door, callers) for _ in range(10_000))
        # Whoever watches gets in, and is told for how long nobody else did.
        inside = f"http://127.0.0.1:{door.inside}"
        assert requests.get(f"{inside}/livez", timeout=5).status_code == 200
        door.wait_for("/livez", 200)
        metrics = requests.get(f"{inside}/metrics", timeout=5).text
        (seconds,) = re.findall(r"^punctual_shut_seconds_total (\S+)$", metrics, re.MULTILINE)
        assert float(seconds) > 0
    finally:
        worker.send_signal(signal.SIGCONT)
    door.wait_until_ready()
    door.wait_until(lambda: door.post(request_body()).status_code == 200)
