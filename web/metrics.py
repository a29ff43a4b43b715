"""Metrics for Prometheus: what this front answered, and what it knows of the workers.

With PROMETHEUS_MULTIPROC_DIR set, the counters of all processes of a front are added up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from web.problems import RedisAway
from web.status import LatestStatus

_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 2.0, 5.0, 10.0, 30.0)

_COUNTS = {
    "executions": "Attempts to compute an image.",
    "takeovers": "Images begun anew because the worker that had them was lost.",
    "late": "Images put aside at pick-up: nobody would have got the answer in time.",
    "dropped": "Images dropped because nobody could want them any more.",
    "completions": "Answers of some members that were made answers of all.",
}


class Metrics:
    """The metrics of one front process."""

    def __init__(self, latest: LatestStatus) -> None:
        own = CollectorRegistry()
        self._answers = Counter(
            "punctual_responses_total",
            "Replies of POST /inference.",
            ("status", "source", "type"),
            registry=own,
        )
        self._seconds = Histogram(
            "punctual_response_seconds",
            "Time from arrival to reply of POST /inference, of those that were let in.",
            ("source",),
            buckets=_BUCKETS_S,
            registry=own,
        )
        self.waiting = Gauge(
            "punctual_waiting",
            "Requests that wait for their answer.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._registry = own
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            self._registry = CollectorRegistry()
            MultiProcessCollector(self._registry)
        self._registry.register(_Queue(latest))

    def observe(self, status: int, source: str, problem: str, took_ms: int) -> None:
        """Account for one reply; ``problem`` is the type of its problem, empty without one."""
        self._answers.labels(str(status), source, problem).inc()
        self._seconds.labels(source).observe(took_ms / 1000)

    def count_refusals(self, status: int, problem: str, count: int) -> None:
        """Account for replies of the door, which nobody has timed."""
        self._answers.labels(str(status), "none", problem).inc(count)

    def blueprint(self) -> Blueprint:
        """``GET /metrics``."""
        blueprint = Blueprint("metrics", __name__)

        @blueprint.get("/metrics")
        def metrics() -> Response:
            return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)

        return blueprint


class _Queue:
    """Read from Redis, the same for every front."""

    def __init__(self, latest: LatestStatus) -> None:
        self._latest = latest

    def collect(self) -> Iterator[Metric]:
        """The families; without Redis only the fact that it is away."""
        status = None
        with suppress(RedisAway):
            status = self._latest.status
        yield GaugeMetricFamily(
            "punctual_redis_up", "Whether Redis answers, 0 or 1.", value=float(status is not None)
        )
        if status is None:
            return
        yield GaugeMetricFamily(
            "punctual_ready", "Whether a worker has lately completed a task.", value=status.ready
        )
        yield GaugeMetricFamily(
            "punctual_workers", "Worker processes with a loaded ensemble.", value=status.workers
        )
        yield GaugeMetricFamily(
            "punctual_queue_length", "Messages that wait for a worker.", value=status.queue_length
        )
        yield GaugeMetricFamily(
            "punctual_late_length",
            "Messages put aside because they were late.",
            value=status.waiting.late,
        )
        yield GaugeMetricFamily(
            "punctual_partial_length",
            "Answers of some members that wait to be made answers of all.",
            value=status.waiting.partial,
        )
        yield GaugeMetricFamily(
            "punctual_image_bytes",
            "Images that Redis holds for workers.",
            value=status.waiting.image_bytes,
        )
        members = CounterMetricFamily(
            "punctual_members_total",
            "Results by how many members were asked; none for what cannot be read.",
            labels=("members",),
        )
        for asked, count in sorted(status.members.items()):
            members.add_metric((str(asked),), count)
        yield members
        for name, count in status.counts._asdict().items():
            yield CounterMetricFamily(f"punctual_{name}_total", _COUNTS[name], value=count)
