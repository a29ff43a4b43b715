"""What Redis knows of the lines and of itself, for Prometheus: the same at every front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis import RedisError

from web.demand import Demand
from web.problems import RedisAway
from web.status import LatestStatus
from workers.contract.keys import VERSION, algorithm_of
from workers.contract.readiness import Overview, Readiness, Status

_COUNTS = {
    "executions": "Attempts to compute an image.",
    "takeovers": "Images begun anew because the worker that had them was lost.",
    "late": "Images put aside at pick-up: nobody would have got the answer in time.",
    "dropped": "Images dropped because nobody could want them any more.",
    "express": "Answers by the express member, for which the line was too long for any other.",
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
    "images_per_second": (
        "What the workers can answer when each answer costs the least.",
        lambda status: status.rate.images,
    ),
}

# What is told of the line that an algorithm's new requests go to.
_OF_LINE = ("algorithm", "bundle")


class LineMetrics:
    """A collector: it reads when it is asked."""

    def __init__(self, latest: LatestStatus, readiness: Readiness, demand: Demand) -> None:
        self._latest = latest
        self._readiness = readiness
        self._demand = demand

    def collect(self) -> Iterator[Metric]:
        """The families; without Redis only which contract this is, and that Redis is away."""
        contract = GaugeMetricFamily(
            "punctual_contract",
            "Which version of the contract this front speaks.",
            labels=["version"],
        )
        contract.add_metric([str(VERSION)], 1)
        yield contract
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
        yield from self._memory()
        yield from self._work(overview)
        yield _beside(overview)
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

    def _memory(self) -> Iterator[Metric]:
        """Nothing where Redis does not tell, as some that are rented do not."""
        with suppress(RedisError):
            memory = self._readiness.memory()
            yield GaugeMetricFamily(
                "punctual_redis_memory_bytes", "What Redis uses.", value=memory.used
            )
            if memory.most:
                yield GaugeMetricFamily(
                    "punctual_redis_memory_limit_bytes", "What Redis may use.", value=memory.most
                )

    def _work(self, overview: Overview) -> Iterator[Metric]:
        """Nothing of a line without workers: nobody knows how fast its next ones are."""
        seconds = GaugeMetricFamily(
            "punctual_work_seconds",
            "How long the workers need for what waits, with one member each.",
            labels=_OF_LINE,
        )
        processes = GaugeMetricFamily(
            "punctual_work_process_seconds",
            "What waits, and what is asked for in a second, refused or not: how long one worker "
            "process needs for it with one member each. By this, workers are scaled.",
            labels=_OF_LINE,
        )
        for algorithm, status in overview.statuses.items():
            needed_s = self._demand.process_seconds(status)
            if needed_s is None:
                continue
            labels = (algorithm, status.line)
            seconds.add_metric(labels, status.queue_length / status.rate.images)
            processes.add_metric(labels, needed_s)
        yield seconds
        yield processes


def _beside(overview: Overview) -> Metric:
    family = GaugeMetricFamily(
        "punctual_workers_beside",
        "Worker processes of a version that new requests do not go to.",
        labels=_OF_LINE,
    )
    for status in overview.beside:
        if status.workers:
            family.add_metric((algorithm_of(status.line), status.line), status.workers)
    return family
