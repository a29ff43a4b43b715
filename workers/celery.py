"""The Celery application, where ``celery -A workers`` looks for it, and its queues."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu.entity import Queue

from workers.contract.connection import sentinel_parameters
from workers.contract.keys import INFERENCE, LATE, PARTIAL, SLICES, of
from workers.contract.logs import LogFormat, set_up
from workers.contract.settings import QueueSettings

_settings = QueueSettings.read()
_redis = _settings.redis_address
_sentinels = _redis.sentinels and {
    "master_name": _redis.sentinels.master_name,
    "sentinel_kwargs": sentinel_parameters(_redis.sentinels, _settings.redis_timeout_ms),
}

app = Celery("punctual", broker=_redis.broker_url, include=["workers.tasks"])
app.conf.update(
    # Said twice, because CELERY_BROKER_URL in the environment would part queue and ledger.
    broker_read_url=_redis.broker_url,
    broker_write_url=_redis.broker_url,
    broker_use_ssl=_redis.tls or False,
    # The ledger keeps the results: one truth, written in the same step that wakes the fronts.
    result_backend="workers.backend:LedgerBackend",
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    # Flower sees every task under its uuid.
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
        **(_sentinels or {}),
        "health_check_interval": 2,
        # kombu would note every message in a second list until it is acknowledged. The ledger
        # knows what became of each, and finds the lost ones within a second.
        "ack_emulation": False,
        # One list per queue: kombu's four emulated priorities would cost three more keys a poll.
        "priority_steps": [0],
        "queue_order_strategy": "sorted",
    },
)


def take_from(line: str, *, jobs: bool) -> None:
    """Have this worker serve the line; from a queue it takes when those before it are empty."""
    app.conf.task_default_queue = of(line, INFERENCE)
    names = (INFERENCE, LATE, PARTIAL, *((SLICES,) if jobs else ()))
    app.conf.task_queues = [Queue(of(line, name)) for name in names]


def _log_json(loglevel: int, **_: Any) -> None:
    """In the place of Celery's own set-up, which would take the root logger over."""
    set_up(LogFormat.JSON, loglevel)
    # What machines read may be long: with it, an image is found at the worker that had it.
    logging.getLogger("workers.reader").setLevel(logging.INFO)


if _settings.log_format is LogFormat.JSON:
    setup_logging.connect(_log_json)
