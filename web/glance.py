"""A glance at a call: what its first bytes tell, without parsing its HTTP or its JSON."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

import gevent

from web.prefer import preferred_wait_ms

# The requests of the contest fit. What does not is looked at no further.
LONGEST_BYTES = 65_536
# A client may send head and body one after the other.
_REST_WITHIN_S = 0.1

_END_OF_HEAD = b"\r\n\r\n"
_INFERENCE = re.compile(rb"POST /inference(?:/([a-z0-9-]{1,63}))?[ ?]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_PREFER = re.compile(rb"\r\nprefer:([^\r]*)", re.IGNORECASE)
_LAST = re.compile(rb"\A[^\r]*HTTP/1\.0\r\n|\r\nconnection:[ \t]*close", re.IGNORECASE)
_UUID = re.compile(rb'"esun_uuid"\s*:\s*"([^"\\]{1,512})"')


class Call(NamedTuple):
    """A request as its caller names it."""

    algorithm: str | None
    uuid: str


class Glance:
    """``data`` is as much of a request as has arrived: the whole of a small one."""

    def __init__(self, connection: socket.socket, data: bytes) -> None:
        self._connection = connection
        self.data = data

    @property
    def asks_inference(self) -> bool:
        """Whether it is one of the calls that may be refused at the door."""
        return _INFERENCE.match(self.data) is not None

    @property
    def algorithm(self) -> str | None:
        """The name in its path, if there is one."""
        found = _INFERENCE.match(self.data)
        return found[1].decode() if found and found[1] else None

    @property
    def wait_ms(self) -> int | None:
        """What it asks for with ``Prefer: wait``."""
        return preferred_wait_ms(value.decode("latin-1") for value in _PREFER.findall(self._head()))

    @property
    def call(self) -> Call | None:
        """Which request it is, where that can be told."""
        uuid = self.uuid
        return None if uuid is None else Call(self.algorithm, uuid)

    @property
    def uuid(self) -> str | None:
        """The request's name, where it is among the first bytes and written without escapes.

        Nothing depends on it but whether a kept answer is given while new requests are refused.
        """
        found = _UUID.search(self.data)
        return found[1].decode("utf-8", "replace") if found else None

    @property
    def is_whole(self) -> bool:
        """Whether the request is here to its end, and nothing of another one."""
        return len(self.data) == self._whole_bytes()

    @property
    def is_coming(self) -> bool:
        """Whether more of it is to come, of a request that is looked at to its end."""
        whole = self._whole_bytes()
        if whole is None:
            return _END_OF_HEAD not in self.data
        return len(self.data) < whole <= LONGEST_BYTES

    @property
    def is_large(self) -> bool:
        """Whether it is longer than what is looked at, or does not say how long it is."""
        return (self._whole_bytes() or LONGEST_BYTES + 1) > LONGEST_BYTES

    @property
    def is_last(self) -> bool:
        """Whether the connection must end with this request when its body is not read."""
        return not self.is_whole or _LAST.search(self._head()) is not None

    def await_rest(self) -> None:
        """Read on for a moment."""
        with gevent.Timeout(_REST_WITHIN_S, False):
            while not self.is_whole and len(self.data) < LONGEST_BYTES:
                more = self._connection.recv(LONGEST_BYTES)
                if not more:
                    return
                self.data += more

    def _whole_bytes(self) -> int | None:
        """How long the request says it is, head included."""
        head = self._head()
        length = _LENGTH.search(head)
        return None if length is None else len(head) + int(length[1])

    def _head(self) -> bytes:
        end = self.data.find(_END_OF_HEAD)
        return self.data if end < 0 else self.data[: end + len(_END_OF_HEAD)]
