"""Metrics for Prometheus: what this front answered, and what it knows of the workers.

With PROMETHEUS_MULTIPROC_DIR set, the counters of all processes of a front are added up.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from web.demand import Demand
from web.line_metrics import LineMetrics
from web.openapi.operation import Body, Operation, Reply, describe
from web.problem import Problem
from web.problems import LineFull
from web.status import LatestStatus
from workers.contract.account import Right
from workers.contract.readiness import Readiness

_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 2.0, 5.0, 10.0, 30.0)

_REPLIES = "punctual_responses"

_METRICS = Operation(
    "Metrics for Prometheus",
    "operation",
    (
        Reply(
            "Those of this front alone.",
            Body(
                None,
                {"a counter": 'punctual_responses_total{status="200",source="kept"} 7.0'},
                "text/plain",
            ),
        ),
    ),
    description="Behind nginx there is none: Prometheus reads each front.",
    needs=Right.OPERATE,
)


class Metrics:
    """The metrics of one front process."""

    def __init__(self, latest: LatestStatus, readiness: Readiness, demand: Demand) -> None:
        self._latest = latest
        self._demand = demand
        own = CollectorRegistry()
        self._answers = Counter(
            _REPLIES,
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
        self._evidence = Counter(
            "punctual_evidence_total", "Replies told to the logbook.", registry=own
        )
        self._evidence_lost = Counter(
            "punctual_evidence_lost_total",
            "Replies of which the logbook was not told, because it did not keep up; and images.",
            ("of",),
            registry=own,
        )
        self._shut_s = Counter(
            "punctual_shut_seconds_total",
            "Time in which the kernel refused connections, because refusing took too much.",
            registry=own,
        )
        self._registry = own
        self._counted: Collector = own
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            self._registry = CollectorRegistry()
            self._counted = MultiProcessCollector(self._registry)
        self._registry.register(LineMetrics(latest, readiness, demand))

    def observe(
        self, algorithm: str | None, status: int, source: str, problem: str, took_ms: int
    ) -> str:
        """Account for one reply; ``problem`` is the type of its problem, empty without one.

        Returns:
            The name of its algorithm, empty where there is none of that name.
        """
        name = self._answered(algorithm, status, source, problem)
        self._seconds.labels(name, source).observe(took_ms / 1000)
        return name

    def count_evidence(self, handed_over: int = 0, lost: int = 0, images_lost: int = 0) -> None:
        """Account for what was told to the logbook, and what was not."""
        self._evidence.inc(handed_over)
        self._evidence_lost.labels("reply").inc(lost)
        self._evidence_lost.labels("image").inc(images_lost)

    def count_refusals(self, algorithm: str | None, status: int, problem: str, count: int) -> str:
        """Account for replies of the door, which nobody has timed; returns as ``observe`` does."""
        return self._answered(algorithm, status, "none", problem, count)

    def count_shut(self, span_ms: int) -> None:
        """Account for a moment in which nobody gets in, nor is told or counted."""
        self._shut_s.inc(span_ms / 1000)

    def _answered(
        self, algorithm: str | None, status: int, source: str, problem: str, count: int = 1
    ) -> str:
        name = self._named(algorithm)
        self._answers.labels(name, str(status), source, problem).inc(count)
        if problem == LineFull.type and name:
            self._demand.refuse(name, count)
        return name

    def replies(self) -> list[dict[str, Any]]:
        """How many replies there were, by their labels: of all processes of this front."""
        return [
            {**sample.labels, "count": int(sample.value)}
            for family in self._counted.collect()
            if family.name == _REPLIES
            for sample in family.samples
            if sample.name.endswith("_total")
        ]

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
        @describe(_METRICS)
        def metrics() -> Response:
            return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)

        return blueprint
