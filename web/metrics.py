"""Metrics for Prometheus: what this front answered, and what it knows of the workers.

With PROMETHEUS_MULTIPROC_DIR set, the counters of all processes of a front are added up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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

from web.problems import Problem, RedisAway
from web.status import LatestStatus
from workers.contract.readiness import Status

_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 2.0, 5.0, 10.0, 30.0)

_COUNTS = {
    "executions": "Attempts to compute an image.",
    "takeovers": "Images begun anew because the worker that had them was lost.",
    "late": "Images put aside at pick-up: nobody would have got the answer in time.",
    "dropped": "Images dropped because nobody could want them any more.",
    "completions": "Answers of some members that were made answers of all.",
}

_GAUGES: dict[str, tuple[str, Callable[[Status], float]]] = {
    "ready": ("Whether a worker has lately completed a task.", lambda status: status.ready),
    "workers": ("Worker processes with a loaded ensemble.", lambda status: status.workers),
    "queue_length": ("Messages that wait for a worker.", lambda status: status.queue_length),
    "late_length": (
        "Messages put aside because they were late.",
        lambda status: status.waiting.late,
    ),
    "partial_length": (
        "Answers of some members that wait to be made answers of all.",
        lambda status: status.waiting.partial,
    ),
}

# What is told of the line that an algorithm's new requests go to.
_OF_LINE = ("algorithm", "bundle")


class Metrics:
    """The metrics of one front process."""

    def __init__(self, latest: LatestStatus) -> None:
        self._latest = latest
        own = CollectorRegistry()
        self._answers = Counter(
            "punctual_responses_total",
            "Replies of POST /inference.",
            ("algorithm", "status", "source", "type"),
            registry=own,
        )
        self._seconds = Histogram(
            "punctual_response_seconds",
            "Time from arrival to reply of POST /inference, of those that were let in.",
            ("algorithm", "source"),
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

    def observe(
        self, algorithm: str | None, status: int, source: str, problem: str, took_ms: int
    ) -> str:
        """Account for one reply; ``problem`` is the type of its problem, empty without one.

        Returns:
            The name of its algorithm, empty where there is none of that name.
        """
        name = self._named(algorithm)
        self._answers.labels(name, str(status), source, problem).inc()
        self._seconds.labels(name, source).observe(took_ms / 1000)
        return name

    def count_refusals(self, algorithm: str | None, status: int, problem: str, count: int) -> None:
        """Account for replies of the door, which nobody has timed."""
        self._answers.labels(self._named(algorithm), str(status), "none", problem).inc(count)

    def _named(self, algorithm: str | None) -> str:
        """Empty for what nothing is called: strangers can make up as many names as they like."""
        try:
            return self._latest.named(algorithm)
        except Problem:
            return ""

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
        overview = None
        with suppress(RedisAway):
            overview = self._latest.overview
        yield GaugeMetricFamily(
            "punctual_redis_up", "Whether Redis answers, 0 or 1.", value=float(overview is not None)
        )
        if overview is None:
            return
        yield GaugeMetricFamily(
            "punctual_image_bytes",
            "Images that Redis holds for workers.",
            value=overview.image_bytes,
        )
        for name, (text, value) in _GAUGES.items():
            gauge = GaugeMetricFamily(f"punctual_{name}", text, labels=_OF_LINE)
            for algorithm, status in overview.statuses.items():
                gauge.add_metric((algorithm, status.line), value(status))
            yield gauge
        members = CounterMetricFamily(
            "punctual_members_total",
            "Results by how many members were asked; none for what cannot be read.",
            labels=(*_OF_LINE, "members"),
        )
        for algorithm, status in overview.statuses.items():
            for asked, count in sorted(status.members.items()):
                members.add_metric((algorithm, status.line, str(asked)), count)
        yield members
        for name, text in _COUNTS.items():
            counter = CounterMetricFamily(f"punctual_{name}_total", text, labels=_OF_LINE)
            for algorithm, status in overview.statuses.items():
                counter.add_metric((algorithm, status.line), getattr(status.counts, name))
            yield counter
