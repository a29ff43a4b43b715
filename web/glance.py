"""A glance at a call: what its first bytes tell, without parsing its HTTP or its JSON."""

from __future__ import annotations

import re
import socket
from functools import cached_property
from typing import NamedTuple

import gevent

from web.arrival import Arrival, arrival
from web.prefer import preferred_wait_ms
from workers.contract.account import name_and_secret

# The requests of the contest fit. What does not is looked at no further.
LONGEST_BYTES = 65_536
# A client may send head and body one after the other.
_REST_WITHIN_S = 0.1

_END_OF_HEAD = b"\r\n\r\n"
_INFERENCE = re.compile(rb"POST /inference(?:/([a-z0-9-]{1,63}))?[ ?]")
# All that is looked for in a head, in one search: a storm's calls have little else done to them.
_FIELDS = re.compile(
    rb"\r\n(?:content-length:[ \t]*(\d{1,15})\b|prefer:([^\r]*)|connection:[ \t]*(close)"
    rb"|(?:authorization:[ \t]*bearer[ \t]+|x-api-key:[ \t]*)([^\r]*))",
    re.IGNORECASE,
)
_ASYNC = re.compile(rb"\brespond-async\b", re.IGNORECASE)
_OLD = re.compile(rb"[^\r]*HTTP/1\.0\r\n")
_UUID = re.compile(rb'"esun_uuid"\s*:\s*"([^"\\]{1,512})"')


class Call(NamedTuple):
    """A request as its caller names it; ``key``: the public name of the key that it brings."""

    algorithm: str | None
    uuid: str
    key: str = ""


class _Head(NamedTuple):
    """What the head says, as far as it has arrived; ``body_bytes`` None: not how long it is."""

    length: int
    body_bytes: int | None
    asks_inference: bool
    algorithm: str | None
    wait_ms: int | None
    ends: bool
    key: str

    @classmethod
    def read(cls, data: bytes) -> _Head:
        end = data.find(_END_OF_HEAD)
        head = data if end < 0 else data[: end + len(_END_OF_HEAD)]
        lengths, prefers, keys, closes = [], [], [], False
        for field in _FIELDS.finditer(head):
            length, prefer, _close, key = field.groups()
            if length is not None:
                lengths.append(int(length))
            elif prefer is not None:
                prefers.append(prefer)
            elif key is not None:
                keys.append(key)
            else:
                closes = True
        call = _INFERENCE.match(data)
        return cls(
            len(head),
            lengths[0] if lengths else None,
            call is not None and not any(map(_ASYNC.search, prefers)),
            call[1].decode() if call and call[1] else None,
            preferred_wait_ms(each.decode("latin-1") for each in prefers),
            closes or _OLD.match(data) is not None,
            name_and_secret(keys[0].decode("latin-1").strip())[0] if keys else "",
        )


class Glance:
    """``data`` is as much of a request as has arrived: the whole of a small one.

    ``since_ns``: when the first of it came in, CLOCK_REALTIME, if the kernel noted that.
    ``arrived_ms``: when it did by `arrival`, in epoch milliseconds, once somebody has asked.
    """

    def __init__(
        self, connection: socket.socket, data: bytes = b"", since_ns: int | None = None
    ) -> None:
        self._connection = connection
        self.data, self.since_ns = data, since_ns
        self.arrived_ms: int | None = None

    def take(self, more: bytes, came_ns: int | None = None) -> None:
        """More of it has arrived."""
        self.data += more
        self.since_ns = self.since_ns or came_ns
        for found in ("_head", "uuid"):
            self.__dict__.pop(found, None)

    @property
    def asks_inference(self) -> bool:
        """Whether it is one of the calls that may be refused at the door: not for a job."""
        return self._head.asks_inference

    @property
    def algorithm(self) -> str | None:
        """The name in its path, if there is one."""
        return self._head.algorithm

    @property
    def wait_ms(self) -> int | None:
        """What it asks for with ``Prefer: wait``."""
        return self._head.wait_ms

    @property
    def call(self) -> Call | None:
        """Which request it is, where that can be told."""
        return None if self.uuid is None else Call(self.algorithm, self.uuid, self._head.key)

    @cached_property
    def uuid(self) -> str | None:
        """The request's name, where it is among the first bytes and written without escapes.

        Nothing depends on it but whether a kept answer is given while new requests are refused.
        """
        found = _UUID.search(self.data)
        return found[1].decode("utf-8", "replace") if found else None

    @property
    def is_whole(self) -> bool:
        """Whether the request is here to its end, and nothing of another one."""
        return len(self.data) == self._whole_bytes

    @property
    def is_coming(self) -> bool:
        """Whether more of it is to come, of a request that is looked at to its end."""
        whole = self._whole_bytes
        if whole is None:
            return _END_OF_HEAD not in self.data
        return len(self.data) < whole <= LONGEST_BYTES

    @property
    def is_large(self) -> bool:
        """Whether it is longer than what is looked at, or does not say how long it is."""
        return (self._whole_bytes or LONGEST_BYTES + 1) > LONGEST_BYTES

    @property
    def is_last(self) -> bool:
        """Whether the connection must end with this request when its body is not read."""
        return not self.is_whole or self._head.ends

    def arrival(self) -> Arrival:
        """When it came, and whether its caller is still there."""
        return arrival(self._connection, self.since_ns)

    def await_rest(self) -> None:
        """Read on for a moment."""
        with gevent.Timeout(_REST_WITHIN_S, False):
            while not self.is_whole and len(self.data) < LONGEST_BYTES:
                more = self._connection.recv(LONGEST_BYTES)
                if not more:
                    return
                self.take(more)

    @property
    def _whole_bytes(self) -> int | None:
        """How long the request says it is, head included."""
        head = self._head
        return None if head.body_bytes is None else head.length + head.body_bytes

    @cached_property
    def _head(self) -> _Head:
        return _Head.read(self.data)
