"""The envelope: the head of a reply waits for the beginning of its body, and they leave together.

gunicorn sends one after the other. Each time the kernel carries a packet over and wakes the caller,
which costs both sides more than to put the two together.
"""

from __future__ import annotations

import socket
from typing import Any

from web.glance import Glance


class Envelope:
    """A caller's connection, for the length of one reply; what else it can do is the connection's.

    Whoever has made one seals it in the end: there may be no body. ``glance``: at the request.
    """

    def __init__(self, connection: socket.socket, glance: Glance) -> None:
        self._connection = connection
        self.glance = glance
        self._head: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        """The first is the head, which is held back."""
        if self._head is None:
            self._head = data
            return
        data, self._head = self._head + data if self._head else data, b""
        # All of it goes at once, most of the time; gevent's ``sendall`` asks the kernel first.
        sent = self._connection.send(data)
        if sent < len(data):
            self._connection.sendall(memoryview(data)[sent:])

    def sendfile(self, *file: Any, **part: Any) -> int:
        """The kernel sends a file by itself, behind the head."""
        self.seal()
        return self._connection.sendfile(*file, **part)

    def seal(self) -> None:
        """Nothing more is to wait for."""
        if self._head:
            self.sendall(b"")
