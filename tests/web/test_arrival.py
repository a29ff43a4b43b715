"""What the kernel knows of a call that a front has not got round to."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from web.arrival import Arrival, arrival, receive, stamp_arrivals


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        caller.sendall(b"POST")
        # It waits to be accepted.
        time.sleep(0.3)
        front, _ = listener.accept()
        with caller, front:
            yield caller, front


def test_a_call_is_as_old_as_its_bytes_not_as_its_acceptance(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    caller, front = pair
    assert arrival(front).age_ms >= 250
    assert not arrival(front).hung_up

    caller.close()
    front.recv(10)
    assert front.recv(10) == b""
    assert arrival(front).hung_up


def test_where_the_kernel_says_nothing_a_call_came_just_now() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert arrival(one) == Arrival(0, hung_up=False)


def test_ticks_that_stood_still_make_no_call_older_than_its_first_bytes() -> None:
    # tcp_info says 430 ms; the kernel's time stamp, that they came just now.
    noted = struct.pack("=B51xI", 1, 430)
    connection: Any = Mock(family=socket.AF_INET, getsockopt=Mock(return_value=noted))

    assert arrival(connection).age_ms == 430
    assert arrival(connection, time.time_ns() - 7_000_000).age_ms < 430
    assert arrival(connection, time.time_ns() + 10**12).age_ms == 0
    assert arrival(connection, time.time_ns() - 10**12).age_ms == 430


def test_the_kernel_notes_when_bytes_came() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stamp_arrivals(listener)
        caller = socket.create_connection(listener.getsockname())
        front, _ = listener.accept()
        with caller, front:
            came_ns = None
            # The kernel begins to note a moment after the first socket that asks for it.
            for _ in range(100):
                before_ns = time.time_ns()
                caller.sendall(b"POST")
                after_ns = time.time_ns()
                time.sleep(0.05)
                data, came_ns = receive(front, 100)
                assert data == b"POST"
                if came_ns is not None:
                    break
            assert came_ns is not None
            assert before_ns <= came_ns <= after_ns + 10_000_000


def test_a_connection_whose_bytes_are_not_stamped_is_read_all_the_same() -> None:
    one, other = socket.socketpair()
    with one, other:
        other.sendall(b"POST")
        assert receive(one, 100) == (b"POST", None)
