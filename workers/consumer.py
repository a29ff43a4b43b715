"""The consumer: how a worker takes messages, and how soon it is back after Redis was away."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from queue import Empty
from typing import Any

from celery import bootsteps
from celery.worker import state
from celery.worker.consumer import Consumer as CeleryConsumer
from redis.backoff import NoBackoff
from redis.retry import Retry

# Celery waits 2, 4, 6, ... 30 seconds between attempts; callers here wait less than one.
_RETRY_S = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}

# Flower is looked at by people: a quarter of a second is soon enough for it.
_EVENTS_EVERY_S = 0.25

# Redis replies to a worker that has asked in vain a tenth of a second after the time is over.
_LAST_REPLY_S = 0.5

_NO_RETRY = Retry(NoBackoff(), 0)


class Consumer(CeleryConsumer):
    """Celery's consumer, impatient to reconnect, and patient with events."""

    _events_due = False

    def on_send_event_buffered(self) -> None:
        """Publish events together now and then; Celery would, before each step of each task."""
        if self.hub and not self._events_due:
            self._events_due = True
            self.hub.call_later(_EVENTS_EVERY_S, self._send_events)

    def _send_events(self) -> None:
        self._events_due = False
        self._flush_events()

    def ensure_connected(self, conn: Any) -> Any:
        """Connect to Redis, trying again every second at the latest."""
        conn.ensure_connection = partial(conn.ensure_connection, **_RETRY_S)
        return super().ensure_connected(conn)


class TakeWhatCanStart(bootsteps.StartStopStep):
    """Take a message only for a process that is up and free, and leave the rest in Redis.

    There any other worker can have them. Celery's own ``worker_disable_prefetch`` counts
    processes that are still loading their ensemble, and would hold messages for them.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """Runs at every (re)connection, after Celery has made the channel."""
        qos = consumer.task_consumer.channel.qos
        within_prefetch_count = qos.can_consume

        def can_consume() -> bool:
            free = _processes_up(consumer.pool) - len(state.reserved_requests)
            return free > 0 and within_prefetch_count()

        qos.can_consume = can_consume

    def stop(self, consumer: Any) -> None:
        """At SIGTERM take no more, and give back what was taken and has not begun.

        Celery gives it back too, but only when all else has stopped, seconds later.
        """
        if consumer.blueprint.state != bootsteps.CLOSE:
            return  # The connection is lost, and what there was to give back with it.
        channel = consumer.task_consumer.channel
        if channel.connection is None:
            return  # It has just been closed, as Redis went.
        # redis-py would try for seconds to reach a Redis that is away, at every step from here.
        for each in channel.connection.channels:
            each.client.set_retry(_NO_RETRY)
        channel.qos.restore_unacked()
        # Redis may have handed out one more message that is on its way: hanging up would lose it.
        consumer.task_consumer.on_message = _leave_unacknowledged
        if connection := channel._in_poll:
            with suppress(Empty, *channel.connection_errors):
                if connection.can_read(timeout=channel.brpop_timeout + _LAST_REPLY_S):
                    channel._brpop_read()
            connection.disconnect()
            channel._in_poll = None
        channel.qos.restore_unacked_once()


def _leave_unacknowledged(_: Any) -> None:
    """What is done with a message that comes while the worker stops: it is given back."""


def _processes_up(pool: Any) -> int:
    """How many processes of the pool have told that they take work."""
    inqueues = getattr(pool._pool, "_all_inqueues", None)
    return pool.num_processes if inqueues is None else len(inqueues)
