"""What the first bytes of a call tell."""

from __future__ import annotations

import socket
from unittest.mock import Mock

import pytest

from web.glance import Glance

BODY = b'{"esun_uuid": "abc", "image": "AAAA"}'
HEAD = b"POST /inference HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(BODY)


def glance(data: bytes) -> Glance:
    """A glance at a connection on which nothing more comes."""
    return Glance(Mock(spec=socket.socket, recv=Mock(return_value=b"")), data)


def test_a_whole_request_is_recognised() -> None:
    seen = glance(HEAD + b"\r\n" + BODY)
    assert seen.asks_inference
    assert seen.is_whole
    assert not seen.is_last
    assert seen.uuid == "abc"
    assert seen.wait_ms is None


@pytest.mark.parametrize(
    "data",
    [
        HEAD,
        HEAD + b"\r\n" + BODY[:-1],
        HEAD + b"\r\n" + BODY + b"POST /inference",
        b"POST /inference HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_cut_off_or_of_unknown_length_is_not_whole(data: bytes) -> None:
    assert not glance(data).is_whole
    assert glance(data).is_last


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"connection:  Close\r\n\r\n",
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
    ],
)
def test_a_connection_that_is_not_to_be_used_again(head: bytes) -> None:
    assert glance(head + BODY).is_whole
    assert glance(head + BODY).is_last


@pytest.mark.parametrize(
    "field", [b"Authorization: Bearer ", b"authorization:bearer\t", b"X-API-Key:  "]
)
def test_the_public_name_of_the_key(field: bytes) -> None:
    call = glance(HEAD + field + b"punctual_0a1b2c3d_secret\r\n\r\n" + BODY).call
    assert call == (None, "abc", "0a1b2c3d")


def test_what_looks_like_a_key_in_the_body_is_none() -> None:
    body = b'{"esun_uuid": "abc", "x": "\r\nX-API-Key: punctual_0a1b2c3d_secret"}'
    seen = glance(b"POST /inference HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert seen.call == (None, "abc", "")


def test_the_callers_patience() -> None:
    assert glance(HEAD + b"Prefer: wait=2.5\r\n\r\n" + BODY).wait_ms == 2_500


def test_the_rest_of_a_request_that_comes_in_two_parts_is_awaited() -> None:
    front, caller = socket.socketpair()
    with front, caller:
        caller.sendall(BODY)
        seen = Glance(front, HEAD + b"\r\n")
        seen.await_rest()
        assert seen.uuid == "abc"
        assert seen.is_whole


@pytest.mark.parametrize("body", [b"{}", b'{"esun_uuid": "a\\u0062"}', b'{"esun_uuid": 7}'])
def test_a_uuid_that_is_not_plainly_there_is_not_guessed(body: bytes) -> None:
    assert glance(b"POST /inference HTTP/1.1\r\n\r\n" + body).uuid is None


def test_other_paths_are_not_its_business() -> None:
    assert not glance(b"GET /livez HTTP/1.1\r\n\r\n").asks_inference
