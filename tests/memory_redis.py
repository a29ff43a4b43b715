"""A Redis in the memory of this process: the same commands and Lua scripts, and no server."""

from __future__ import annotations

from typing import Any

from fakeredis import FakeRedis, FakeServer
from redis import Redis


class MemoryRedis:
    """Empty when it is made, gone when nobody holds it any more."""

    def __init__(self) -> None:
        self._server = FakeServer(version=(7, 2))
        self.client: Redis = FakeRedis(server=self._server)

    def connect(self, *_: Any) -> Redis:
        """In the place of `impatient` and `patient`: it never has to be waited for."""
        return FakeRedis(server=self._server)

    def go_away(self) -> None:
        """From now on every connection is refused, and those that are open are closed."""
        self._server.connected = False

    def come_back(self) -> None:
        """As it was."""
        self._server.connected = True
