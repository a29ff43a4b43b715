"""What the kernel knows of a call that a front has not got round to."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from web.arrival import Arrival, arrival


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
        assert arrival(one) == arrival(None) == Arrival(0, hung_up=False)
