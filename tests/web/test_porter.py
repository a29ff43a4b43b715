"""Whom the porter lets in and whom it refuses, over real connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock

import gevent
import pytest
from gevent.pool import Pool
from gevent.socket import create_connection

from deploy.ports import free_port
from web.porter import Porter
from web.problem import Problem
from web.problems import LineFull
from web.shutter import Shutter


class World:
    """A porter, and who stands behind it: each connection that was let in, with its first bytes."""

    def __init__(self, *, may_shut: bool = False) -> None:
        self.problem: Problem | None = LineFull(3)
        self.known: set[str] = set()
        self.let_in: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.listener.setblocking(False)
        self.turnstile = Mock(is_shut=True)
        self.turnstile.shut_to = lambda *_: self.problem
        self.turnstile.left_ms.return_value = 900
        acquaintance = Mock(known=lambda calls: {call for call in calls if call.uuid in self.known})
        self.pool = Pool(4)
        # By a clock that stands still, so that it opens by the porter's timer alone.
        self.shutter = Shutter(self.listener, 100, lambda: 0, may_shut=may_shut)
        self.porter, self.other = (
            Porter(
                *(self.listener, self.handle, self.pool, self.turnstile, acquaintance, self.shutter)
            )
            for _ in range(2)
        )
        self.porter.start()

    def handle(self, connection: Any, _: Any, received: bytes = b"") -> None:
        self.let_in.append(received or connection.recv(65_536))
        connection.sendall(b"let in")

    def wait_for(self, seats: int) -> None:
        """Until so many are let in and not done with."""
        with gevent.Timeout(5):
            while len(self.pool) < seats:
                gevent.sleep(0.01)

    def call(self, *parts: str, pause_s: float = 0) -> bytes:
        """All that comes back until the connection is closed."""
        with gevent.Timeout(5), create_connection(self.listener.getsockname()) as connection:
            for part in parts:
                connection.sendall(part.encode())
                gevent.sleep(pause_s)
            reply = b""
            while more := connection.recv(65_536):
                reply += more
            return reply

    def is_open(self) -> bool:
        """Whether the kernel lets somebody connect."""
        try:
            create_connection(self.listener.getsockname()).close()
        except ConnectionRefusedError:
            return False
        return True

    def wait_until_open(self) -> None:
        """Until somebody who calls gets a reply."""
        with gevent.Timeout(5):
            while not self.is_open():
                gevent.sleep(0.01)
        assert b"line-full" in self.call(request())


def request(uuid: str = "new", length: int = 0) -> str:
    body = f'{{"esun_uuid": "{uuid}"}}'
    return f"POST /inference HTTP/1.1\r\nContent-Length: {length or len(body)}\r\n\r\n{body}"


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.porter.stop(timeout=1)
    one.listener.close()


@pytest.fixture
def storm() -> Iterator[World]:
    one = World(may_shut=True)
    yield one
    one.other.stop(timeout=1)
    one.porter.stop(timeout=1)
    one.listener.close()


def test_a_call_is_refused_by_its_name_and_the_connection_ends(world: World) -> None:
    reply = world.call(request("abc"))
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b'"esun_uuid": "abc"' in reply
    assert b"Connection: close\r\n" in reply
    assert world.let_in == []
    ((problem, (refused,)),) = (call.args for call in world.turnstile.account.call_args_list)
    assert (problem, refused.uuid) == (world.problem, "abc")


def test_a_lot_is_refused_call_by_call(world: World) -> None:
    calls = [gevent.spawn(world.call, request(f"call-{number}")) for number in range(300)]
    gevent.joinall(calls, timeout=10)
    for number, call in enumerate(calls):
        assert f'"esun_uuid": "call-{number}"'.encode() in call.value
    assert world.let_in == []


def test_whatever_one_of_a_lot_has_sent_the_others_are_refused(world: World) -> None:
    """One whose length nobody counts is left to the door, one that cannot be looked at is ended."""
    world.turnstile.left_ms.side_effect = lambda glance: 1 // (glance.uuid != "bad") * 900
    long = request("long").replace("Length: ", "Length: " + "9" * 5_000)
    calls = [gevent.spawn(world.call, request(f"call-{number}")) for number in range(10)]
    calls += [gevent.spawn(world.call, long), gevent.spawn(world.call, request("bad"))]
    calls += [gevent.spawn(world.call, request(f"call-{number}")) for number in range(10, 20)]
    gevent.joinall(calls, timeout=10)
    replies = [call.value for call in calls]
    assert [b"line-full" in reply for reply in replies[:10] + replies[12:]] == [True] * 20
    assert replies[10:12] == [b"let in", b""]


def test_after_a_lot_that_went_wrong_the_next_is_seen_to(world: World) -> None:
    world.turnstile.account.side_effect = [RuntimeError, None]
    first = create_connection(world.listener.getsockname())
    first.sendall(request().encode())
    gevent.sleep(0.05)
    assert b"line-full" in world.call(request())
    first.close()


def test_what_is_known_is_let_in_with_all_its_bytes(world: World) -> None:
    world.known = {"kept"}
    assert world.call(request("kept")) == b"let in"
    assert world.let_in == [request("kept").encode()]


def test_a_call_that_arrives_in_parts_is_waited_for(world: World) -> None:
    head, body = request("abc").split("\r\n\r\n")
    assert b'"esun_uuid": "abc"' in world.call(head, "\r\n\r\n", body, pause_s=0.01)


@pytest.mark.parametrize(
    "sent", [request("large", 100_000), request("slow", 1_000), "GET /livez HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_wholly_here_or_has_no_name_is_let_in(world: World, sent: str) -> None:
    assert world.call(sent) == b"let in"
    assert world.let_in == [sent.encode()]


def test_who_says_nothing_is_let_in_to_the_lobby(world: World) -> None:
    with create_connection(world.listener.getsockname()) as silent:
        world.wait_for(seats=1)
        silent.sendall(b"late")
        assert silent.recv(100) == b"let in"


def test_whoever_may_ask_is_let_in(world: World) -> None:
    world.problem = None
    assert world.call(request()) == b"let in"


def test_when_the_front_is_full_to_its_last_seat_callers_are_told(world: World) -> None:
    world.problem = None
    silent = [create_connection(world.listener.getsockname()) for _ in range(4)]
    world.wait_for(seats=4)
    assert b"front-busy" in world.call(request())
    for connection in silent:
        connection.close()


def test_while_the_way_is_free_everybody_is_let_in_at_once(world: World) -> None:
    world.turnstile.is_shut = False
    assert world.call(request()) == b"let in"


def test_whose_time_is_over_is_told_while_the_caller_is_there(world: World) -> None:
    world.turnstile.left_ms.return_value = 0
    assert b"front-busy" in world.call(request())
    with create_connection(world.listener.getsockname()) as connection:
        connection.sendall(request().encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert world.let_in == []


def test_the_patient_of_a_lot_do_not_stand_before_the_hurried(world: World) -> None:
    asked: list[tuple[int, int]] = []

    def shut_to(_: Any, left_ms: int, ahead: int) -> None:
        asked.append((left_ms, ahead))

    world.turnstile.shut_to = shut_to
    world.turnstile.left_ms.side_effect = [30_000] * 3 + [900] * 2
    # In the hall together before the porter looks: one lot.
    gevent.joinall([gevent.spawn(world.call, request(str(number))) for number in range(5)])
    assert asked == [(30_000, 0), (30_000, 1), (30_000, 2), (900, 0), (900, 1)]


def test_when_refusing_took_too_much_the_kernel_refuses_for_a_while(storm: World) -> None:
    assert storm.is_open()
    storm.shutter.charge(1)
    assert b"line-full" in storm.call(request())
    assert not storm.is_open()
    storm.wait_until_open()
    storm.turnstile.tell_shut.assert_called()


def test_in_the_middle_of_a_storm_no_more_are_taken_in_than_are_seen_to(storm: World) -> None:
    storm.shutter.shut()
    storm.shutter.open()
    assert storm.shutter.is_strained
    with ExitStack() as silent:
        for _ in range(1_000):
            try:
                silent.enter_context(create_connection(storm.listener.getsockname()))
            except ConnectionRefusedError:
                break
        else:
            raise AssertionError("everybody was taken in")
    storm.wait_until_open()


def test_who_was_let_in_stays_when_the_shutter_closes(storm: World) -> None:
    with create_connection(storm.listener.getsockname()) as inside:
        storm.wait_for(seats=1)
        storm.shutter.charge(1)
        assert b"line-full" in storm.call(request())
        assert not storm.is_open()
        inside.sendall(b"still here")
        assert inside.recv(100) == b"let in"


@pytest.mark.parametrize("is_busy", [True, False])
def test_what_one_process_shuts_another_one_opens_if_need_be(storm: World, is_busy: bool) -> None:
    storm.other.start()
    storm.turnstile.is_shut = is_busy
    # As by a process that dies before it opens.
    storm.shutter.shut()
    gevent.sleep(0)
    assert not storm.is_open()
    storm.turnstile.is_shut = True
    storm.wait_until_open()


def test_who_shuts_what_another_process_has_just_shut_takes_callers_in_again(storm: World) -> None:
    other = Shutter(storm.listener, 100, lambda: 0, may_shut=True)
    storm.turnstile.account.side_effect = lambda *_: other.shut()
    storm.shutter.charge(1)
    assert b"line-full" in storm.call(request())
    assert not storm.is_open()
    storm.wait_until_open()


def test_a_process_that_ends_leaves_it_open(storm: World) -> None:
    storm.shutter.charge(1)
    storm.call(request())
    assert not storm.is_open()
    kept = storm.listener.dup()
    storm.porter.close()
    with create_connection(kept.getsockname()):
        kept.close()
