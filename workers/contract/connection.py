"""Connections to Redis: front, workers and health check get their clients here."""

from __future__ import annotations

from collections.abc import Callable
from queue import LifoQueue
from typing import Any, TypeVar

from redis import Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.backoff import AbstractBackoff, ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from workers.contract.address import Address, Sentinels
from workers.contract.client import BriskPool, BriskRedis
from workers.contract.refusal import Refusal
from workers.contract.settings import QueueSettings

# Requests take turns on so many connections; each needs one for well under a millisecond.
_CONNECTIONS = 16

# A finished answer waits this long for a Redis that restarts, rather than being computed again.
_RETRY_EVERY_S = 0.1
_RETRIES = 100

# Of the time for a connection, each sentinel that is silent takes a fourth.
_SENTINELS_SHARE = 4

_Reply = TypeVar("_Reply")


def impatient(
    settings: QueueSettings,
    timeout_ms: int,
    on_moved: Callable[[], None] = lambda: None,
    queue_class: type[Any] = LifoQueue,
) -> Redis:
    """A client that gives up soon: a request has no time to wait for Redis.

    For its turn on a connection a request waits as long as it has time.

    Args:
        settings: where Redis is.
        timeout_ms: for a connection, and for each reply.
        on_moved: called when a connection is given up because Redis became a read-only replica.
        queue_class: of the connections that wait for use.
    """
    timeout_s = timeout_ms / 1000
    pool = BriskPool(
        **_parameters(settings.redis_address, timeout_ms),
        max_connections=_CONNECTIONS,
        timeout=None,
        queue_class=queue_class,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # Once more, for a pooled connection that a restart of Redis has closed meanwhile.
        retry=_Redial(NoBackoff(), 1, (RedisConnectionError,), on_moved),
    )
    return BriskRedis(connection_pool=pool)


def patient(settings: QueueSettings) -> Redis:
    """A client that outlives a restart of Redis."""
    pool = BriskPool(
        **_parameters(settings.redis_address, settings.redis_timeout_ms) | settings.redis_timeouts,
        max_connections=_CONNECTIONS,
        timeout=None,
        retry=_Redial(
            ConstantBackoff(_RETRY_EVERY_S), _RETRIES, (RedisConnectionError, RedisTimeoutError)
        ),
    )
    return BriskRedis(connection_pool=pool)


def sentinel_parameters(sentinels: Sentinels, timeout_ms: int) -> dict[str, Any]:
    """For connections to the sentinels, of redis-py here and in kombu.

    One that is away takes a part of the time alone: the next one knows the master as well.
    """
    timeout_s = timeout_ms / _SENTINELS_SHARE / 1000
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "password": sentinels.password or None,
    }


def _parameters(address: Address, timeout_ms: int) -> dict[str, Any]:
    """For the pools of redis-py, whatever the kind of connection."""
    common = {
        "db": address.db,
        "username": address.username or None,
        "password": address.password or None,
    }
    if address.sentinels:
        return {
            "connection_class": _MasterConnection,
            "sentinel": Sentinel(
                address.sentinels.addresses,
                sentinel_kwargs=sentinel_parameters(address.sentinels, timeout_ms),
            ),
            "master_name": address.sentinels.master_name,
            **common,
        }
    if address.socket:
        return {
            "connection_class": UnixDomainSocketConnection,
            "path": address.socket,
            **common,
        }
    return {
        "connection_class": SSLConnection if address.tls else Connection,
        "host": address.host,
        "port": address.port,
        **(address.tls or {}),
        **common,
    }


class _MasterConnection(Connection):
    """Asks the sentinels whenever it connects.

    redis-py's own asks them only at first, and then tries again and again where the master was.
    """

    def __init__(self, *, sentinel: Sentinel, master_name: str, **parameters: Any) -> None:
        self._sentinel = sentinel
        self._master_name = master_name
        super().__init__(**parameters)

    def _connect(self) -> Any:
        self.host, self.port = self._sentinel.discover_master(self._master_name)
        return super()._connect()


class _Redial(Retry):
    """Tries again on a new connection, also when Redis says that it is a read-only replica.

    After a failover the address leads to the new master, but connections stay with the old one for
    as long as they live, and it answers. Redis before 7 says so within a script as any error of
    the script.
    """

    def __init__(
        self,
        backoff: AbstractBackoff,
        retries: int,
        errors: tuple[type[Exception], ...],
        on_moved: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(backoff, retries, (*errors, ReadOnlyError))
        self._on_moved = on_moved

    def __deepcopy__(self, _memo: object) -> _Redial:
        """Connections share it: it has no state, and a copy would tell nobody."""
        return self

    def call_with_retry(self, do: Callable[[], _Reply], *arguments: Any, **options: Any) -> _Reply:
        def named() -> _Reply:
            try:
                return do()
            except ResponseError as error:
                if Refusal.of(error) is Refusal.READONLY:
                    self._on_moved()
                    raise ReadOnlyError(str(error), status_code=Refusal.READONLY.name) from error
                raise

        return super().call_with_retry(named, *arguments, **options)
