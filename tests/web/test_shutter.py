"""When the kernel refuses instead of the front, and that it does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.ports import free_port
from web.shutter import Shutter, can_reopen


class Hand:
    """A clock turned by hand."""

    now_ms = 1_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", free_port())) as one:
        yield one


def shutter(listener: socket.socket, clock: Hand, *, may_shut: bool = True) -> Shutter:
    return Shutter(listener, 10, clock, may_shut=may_shut)


def test_refusing_has_a_share_of_a_core_and_the_rest_is_made_up_for(
    listener: socket.socket,
) -> None:
    clock = Hand()
    one = shutter(listener, clock)
    for _ in range(100):
        one.charge(0.00025)
        clock.now_ms += 10
        assert one.due_ms() == 0
    # Of a hundred milliseconds two and a half may be work.
    for _ in range(11):
        one.charge(0.00025)
    assert one.due_ms() == pytest.approx(110, abs=1)
    clock.now_ms += 60
    assert one.due_ms() == 0


def test_once_shut_it_stays_so_until_all_is_made_up_for(listener: socket.socket) -> None:
    clock = Hand()
    one = shutter(listener, clock)
    one.charge(0.0025)
    assert one.due_ms() == 100
    one.shut()
    assert one.is_strained
    clock.now_ms += 60
    assert one.due_ms() == 40
    clock.now_ms += 40
    assert one.due_ms() == 0
    assert one.open() == 100
    assert one.open() == 0
    clock.now_ms += 500
    assert not one.is_strained


def test_however_much_it_was_whoever_comes_later_is_let_in(listener: socket.socket) -> None:
    clock = Hand()
    one = shutter(listener, clock)
    one.charge(60)
    assert one.due_ms() == 200
    clock.now_ms += 200
    assert one.due_ms() == 0


def test_what_may_not_shut_never_has_to(listener: socket.socket) -> None:
    one = shutter(listener, Hand(), may_shut=False)
    one.charge(60)
    assert one.due_ms() == 0


def test_shut_the_kernel_refuses_and_open_it_lets_in(listener: socket.socket) -> None:
    one, address = shutter(listener, Hand()), listener.getsockname()
    assert can_reopen(listener, address)
    with socket.create_connection(address), listener.accept()[0] as inside:
        one.shut()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        # Twice is as once: another process may have done it.
        one.open()
        one.open()
        assert not one.is_shut
        socket.create_connection(address).close()
        assert inside.send(b"still here") == len(b"still here")


def test_a_socket_of_the_file_system_cannot_be_opened_again(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "web"))
        assert not can_reopen(listener, str(tmp_path / "web"))


def test_nor_does_one_keep_a_port_that_the_kernel_chose(listener: socket.socket) -> None:
    assert not can_reopen(listener, ("127.0.0.1", 0))
