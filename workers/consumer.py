"""The consumer: how a worker takes messages, and how soon it is back after Redis was away."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import bootsteps
from celery.worker import state
from celery.worker.consumer import Consumer as CeleryConsumer

# Celery waits 2, 4, 6, ... 30 seconds between attempts; callers here wait less than one.
_RETRY_S = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}


class Consumer(CeleryConsumer):
    """Celery's consumer, impatient to reconnect."""

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


def _processes_up(pool: Any) -> int:
    """How many processes of the pool have told that they take work."""
    inqueues = getattr(pool._pool, "_all_inqueues", None)
    return pool.num_processes if inqueues is None else len(inqueues)
