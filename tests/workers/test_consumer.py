"""A worker that stops gives back every message that Redis has handed to it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, bootsteps
from kombu.asynchronous import Hub

from tests.redis_process import RedisProcess
from workers.celery import app, take_from
from workers.consumer import TakeWhatCanStart
from workers.contract import keys
from workers.contract.message import enqueue_probe

NAME = "bundle/1"
INFERENCE = keys.of(NAME, keys.INFERENCE)
CONF = ("broker_transport_options", "task_queues", "task_default_queue")


@pytest.fixture
def consumer(redis: RedisProcess) -> Iterator[Any]:
    """As much of Celery's as the step looks at, with its question to Redis sent."""
    take_from(NAME, jobs=False)
    twin = Celery(broker=redis.url, set_as_current=False)
    twin.conf.update({name: app.conf[name] for name in CONF})
    with twin.connection_for_read() as connection:
        hub = Hub()
        task_consumer = twin.amqp.TaskConsumer(connection.default_channel)
        task_consumer.on_message = lambda _: pytest.fail("begun though the worker stops")
        task_consumer.consume()
        connection.register_with_event_loop(hub)
        connection.transport.cycle.on_poll_start()
        yield SimpleNamespace(
            task_consumer=task_consumer, blueprint=SimpleNamespace(state=bootsteps.CLOSE)
        )
        hub.close()


def test_a_message_that_is_on_its_way_when_a_worker_stops_is_given_back(
    redis: RedisProcess, consumer: Any
) -> None:
    assert consumer.task_consumer.channel._in_poll
    enqueue_probe(redis.client, NAME)
    assert redis.client.llen(INFERENCE) == 0, "Redis has not handed it out"
    TakeWhatCanStart.stop(None, consumer)
    assert redis.client.llen(INFERENCE) == 1


def test_a_worker_that_nothing_is_sent_to_takes_nothing_any_more(
    redis: RedisProcess, consumer: Any
) -> None:
    TakeWhatCanStart.stop(None, consumer)
    enqueue_probe(redis.client, NAME)
    assert redis.client.llen(INFERENCE) == 1
