"""How a reply goes over its connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from select import select

import pytest

from web.envelope import Envelope
from web.glance import Glance


@pytest.fixture
def pair() -> Iterator[tuple[Envelope, socket.socket]]:
    front, caller = socket.socketpair()
    caller.settimeout(5)
    with front, caller:
        yield Envelope(front, Glance(front)), caller


def nothing_came(caller: socket.socket) -> bool:
    return select([caller], [], [], 0)[0] == []


def test_a_head_leaves_with_the_beginning_of_its_body(
    pair: tuple[Envelope, socket.socket],
) -> None:
    envelope, caller = pair
    envelope.sendall(b"head ")
    assert nothing_came(caller)
    envelope.sendall(b"body")
    assert caller.recv(100) == b"head body"
    envelope.sendall(b", more")
    envelope.seal()
    assert caller.recv(100) == b", more"


def test_a_head_without_a_body_leaves_at_the_end(pair: tuple[Envelope, socket.socket]) -> None:
    envelope, caller = pair
    envelope.sendall(b"head")
    envelope.seal()
    assert caller.recv(100) == b"head"
    envelope.seal()
    assert nothing_came(caller)


def test_a_file_follows_its_head(pair: tuple[Envelope, socket.socket], tmp_path: Path) -> None:
    envelope, caller = pair
    (tmp_path / "file").write_bytes(b"the file")
    envelope.sendall(b"head ")
    with (tmp_path / "file").open("rb") as file:
        envelope.sendfile(file, offset=4, count=4)
    assert caller.recv(5) == b"head "
    assert caller.recv(100) == b"file"


def test_all_else_is_the_connections(pair: tuple[Envelope, socket.socket]) -> None:
    envelope, caller = pair
    caller.sendall(b"asked")
    assert envelope.recv(100) == b"asked"
    assert envelope.family == caller.family
