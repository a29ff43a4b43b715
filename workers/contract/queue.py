"""The Celery application, its queues, and the messages that travel through them.

Workers take from a queue only while those before it in the alphabet are empty.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from uuid import uuid4

from celery import Celery
from kombu.entity import Queue
from redis import Redis

from workers.contract.clock import Deadlines
from workers.contract.settings import QueueSettings

# Images that somebody waits for; those nobody waits for just now, but may again; and those with an
# answer of some members that could become one of all.
INFERENCE, LATE, PARTIAL = "inference", "inference.late", "inference.partial"

READ_TASK = "workers.read"
COMPLETE_TASK = "workers.complete"
PROBE_TASK = "workers.probe"

_settings = QueueSettings.read()
_redis = _settings.redis_address

app = Celery("punctual", broker=_redis.broker_url, include=["workers.tasks"])
app.conf.update(
    # Said twice, because CELERY_BROKER_URL in the environment would part queue and ledger.
    broker_read_url=_redis.broker_url,
    broker_write_url=_redis.broker_url,
    broker_use_ssl=_redis.tls or False,
    task_default_queue=INFERENCE,
    task_queues=[Queue(name) for name in (INFERENCE, LATE, PARTIAL)],
    # The ledger keeps the results: one truth, written in the same step that wakes the fronts.
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    # Flower sees every task under its uuid. The image itself never shows: see `ImageMessage`.
    worker_send_task_events=True,
    # How many messages a worker takes is decided in workers/consumer.py.
    worker_consumer="workers.consumer:Consumer",
    worker_prefetch_multiplier=1,
    worker_enable_prefetch_count_reduction=False,
    # A lost worker's request is taken over through the ledger, which knows who still wants it.
    # Celery's own redelivery would repeat it for nobody.
    task_acks_late=False,
    # How long the parent waits for a dead process's last words before it counts it as lost.
    worker_lost_wait=0.2,
    # Loading and warming a large ensemble may take longer than Celery's 4 seconds.
    worker_proc_alive_timeout=300.0,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # What Redis refuses, as a replica after a failover, is to be tried on a new connection.
    broker_channel_error_retry=True,
    broker_transport_options={
        **_settings.redis_timeouts,
        "health_check_interval": 2,
        # kombu would note every message in a second list until it is acknowledged. The ledger
        # knows what became of each, and finds the lost ones within a second.
        "ack_emulation": False,
        # One list per queue: kombu's four emulated priorities would cost three more keys a poll.
        "priority_steps": [0],
        "queue_order_strategy": "sorted",
    },
)


class ImageMessage(NamedTuple):
    """One image on its way to a worker.

    ``image`` is base64, ``image_key`` that of its entry in the ledger, ``place`` the one in line;
    ``sent_ms`` is in epoch milliseconds.
    """

    uuid: str
    image: str
    image_key: str
    place: int
    sent_ms: int
    deadlines: Deadlines

    @classmethod
    def received(cls, uuid: str, fields: dict[str, Any]) -> ImageMessage:
        """What a worker makes of a task's id and arguments."""
        return cls(uuid, **{**fields, "deadlines": Deadlines(*fields["deadlines"])})

    def enqueue(self, redis: Redis) -> None:
        """Publish it under the caller's uuid.

        Never with ``expires``, and never followed by ``revoke``: either makes worker processes
        discard every later message of that id for three hours, and callers do re-send.

        Raises:
            redis.RedisError: Redis is away.
        """
        redis.lpush(INFERENCE, self._task(READ_TASK))

    def set_aside(self, redis: Redis, longest: int) -> None:
        """Publish it for when nothing else is left to do; the oldest of too many are forgotten."""
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.lpush(LATE, self._task(READ_TASK))
            pipeline.ltrim(LATE, 0, longest - 1)
            pipeline.execute()

    def completion(self) -> str:
        """The message that asks for the answer of all members, when nothing else is left to do.

        The ledger publishes it together with the answer of fewer.
        """
        return self._task(COMPLETE_TASK)

    def _task(self, name: str) -> str:
        kwargs = self._asdict()
        uuid = kwargs.pop("uuid")
        shown = (
            f"{{'image': <{len(self.image)} base64 characters>, 'deadlines': {[*self.deadlines]}}}"
        )
        return _message(uuid, name, kwargs, shown)


def enqueue_probe(redis: Redis) -> None:
    """Publish a probe: a worker that completes it proves that the whole path is alive.

    Raises:
        redis.RedisError: Redis is away.
    """
    redis.lpush(INFERENCE, _message(uuid4().hex, PROBE_TASK, {}, "{}"))


def _message(task_id: str, name: str, kwargs: dict[str, Any], shown: str) -> str:
    """A task message of Celery's, in the envelope that kombu keeps in a Redis list.

    Publishing through kombu takes three times as long, and its connections do not survive a
    request that runs out of time in the middle.
    """
    task = app.amqp.create_task_message(
        task_id, name, args=(), kwargs=kwargs, argsrepr="()", kwargsrepr=shown, ignore_result=True
    )
    properties = {
        **task.properties,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": INFERENCE},
        "delivery_tag": task_id,
        "priority": 0,
        # The image is base64 already.
        "body_encoding": "utf-8",
    }
    envelope = {
        "body": json.dumps(task.body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": task.headers,
        "properties": properties,
    }
    return json.dumps(envelope)
