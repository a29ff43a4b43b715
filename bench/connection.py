"""HTTP connections of a caller that shares its cores with the server.

A general client spends more on a request than a front on a kept answer. This one writes prepared
bytes and lets httptools, the parser of many servers, read the reply.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools

# Servers close idle connections, some within seconds; one that closes while it is being written to
# looks like a broken server. So connections that have been idle for longer are not used again.
_USE_AGAIN_WITHIN_S = 1.0


@dataclass(slots=True)
class Reply:
    """One HTTP response; names of headers in lower case."""

    status: int
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


OnReply = Callable[[Reply | None], None]


class Connection(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._on_reply: OnReply | None = None
        self._reply = Reply(0)
        self.idle_since_s = 0.0

    def send(self, payload: bytes, on_reply: OnReply) -> None:
        """Write a request; ``on_reply`` gets the reply, or None when the connection breaks."""
        self._on_reply, self._reply = on_reply, Reply(0)
        if self._transport is None or self._transport.is_closing():
            self._break()
        else:
            self._transport.write(payload)

    def drop(self) -> None:
        """Close at once and tell nobody: the caller waits no longer."""
        self._on_reply = None
        if self._transport is not None:
            self._transport.abort()

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Of asyncio.Protocol."""
        self._break()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of httptools."""
        self._reply.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Of httptools."""
        self._reply.body += body

    def on_message_complete(self) -> None:
        """Of httptools."""
        self._reply.status = self._parser.get_status_code()
        if self._reply.status < 200:  # noqa: PLR2004 - 100 Continue, and more to come
            return
        on_reply, self._on_reply = self._on_reply, None
        if self._parser.should_keep_alive():
            self._pool.give_back(self)
        else:
            self.drop()
        if on_reply:
            on_reply(self._reply)

    def _break(self) -> None:
        on_reply = self._on_reply
        self.drop()
        if on_reply:
            on_reply(None)


class Connections:
    """As many connections to one server as there are requests under way.

    ``fresh``: none is used twice.
    """

    def __init__(self, host: str, port: int, *, fresh: bool = False) -> None:
        self._host, self._port, self._fresh = host, port, fresh
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Connection] = deque()
        self._opening: set[asyncio.Task[None]] = set()

    def send(self, payload: bytes, on_reply: OnReply) -> Callable[[], None]:
        """Send over an idle or a new connection; returns what gives the request up."""
        fresh_s = self._loop.time() - _USE_AGAIN_WITHIN_S
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since_s >= fresh_s:
                connection.send(payload, on_reply)
                return connection.drop
            connection.drop()
        return self._send_over_new(payload, on_reply)

    def give_back(self, connection: Connection) -> None:
        """A reply has been read to its end."""
        if self._fresh:
            connection.drop()
            return
        connection.idle_since_s = self._loop.time()
        self._idle.append(connection)
        # A server may count idle connections among those that it can bear.
        while self._idle[0].idle_since_s < connection.idle_since_s - _USE_AGAIN_WITHIN_S:
            self._idle.popleft().drop()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().drop()

    def _send_over_new(self, payload: bytes, on_reply: OnReply) -> Callable[[], None]:
        connection = Connection(self)

        async def connect() -> None:
            try:
                await self._loop.create_connection(lambda: connection, self._host, self._port)
            except OSError:
                on_reply(None)
            else:
                connection.send(payload, on_reply)

        task = self._loop.create_task(connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

        def give_up() -> None:
            task.cancel()
            connection.drop()

        return give_up
