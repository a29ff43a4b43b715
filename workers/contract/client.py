"""A client of Redis that costs little: a request asks it one thing or two, in under a millisecond.

redis-py asks of each connection whether it still lives, and counts and times all that is done with
it, for whoever measures. That takes twice as long as the command itself. Here a connection that has
died is found out by the command, which is tried again on a new one, as always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from redis import BlockingConnectionPool, Connection, Redis


class BriskPool(BlockingConnectionPool):
    """Of redis-py, with a way around its looks at each connection."""

    def take(self) -> Connection:
        """The next one as it is, or a new one, which is not connected yet."""
        self._checkpid()
        connection: Connection = self.pool.get(timeout=self.timeout) or self.make_connection()
        return connection

    def give_back(self, connection: Connection) -> None:
        """One whose command was broken off is disconnected by now."""
        self._checkpid()
        # After a fork there are others.
        self.pool.put_nowait(connection if self.owns_connection(connection) else None)


class BriskRedis(Redis):
    """For commands; pipelines and subscriptions go redis-py's own way."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Of redis-py: one command, tried again as the connection's ``retry`` has it."""
        pool = cast(BriskPool, self.connection_pool)
        connection = pool.take()

        def exchange() -> Any:
            connection.send_command(*args)
            return self.parse_response(connection, args[0], **options)

        # To connect is tried again as well: not within the other, or the two would multiply.
        def anew(_: Exception) -> None:
            connection.disconnect()
            connection.connect()

        retry: Callable[..., Any] = connection.retry.call_with_retry
        try:
            connection.connect()
            return retry(exchange, anew)
        finally:
            pool.give_back(connection)
