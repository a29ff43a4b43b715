"""Traces: a worker process' part in what became of a few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.contract import spans
from workers.contract.result import Result

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class Traces:
    """``endpoint``: of a collector; without one nothing is sent."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._provider: TracerProvider | None = None

    def start(self) -> None:
        """Begin, after the fork."""
        if self._endpoint:
            self._provider = spans.provider(self._endpoint, "worker")

    def stop(self) -> None:
        """Send what is left."""
        if self._provider:
            self._provider.shutdown()

    def read(self, name: str, result: Result) -> None:
        """An image was read for a request that is traced, or was not; its caller is told by now."""
        if self._provider is None or not result.trace:
            return
        from opentelemetry.trace import SpanKind

        tracer, above = self._provider.get_tracer(__name__), spans.under(spans.named(result.trace))
        ended_ns = result.ended_ms * spans.NS_PER_MS
        began_ns = ended_ns - result.compute_us * 1_000
        if result.queue_ms:
            sent_ns = began_ns - result.queue_ms * spans.NS_PER_MS
            tracer.start_span("queue", above, SpanKind.CONSUMER, start_time=sent_ns).end(began_ns)
        told: dict[str, str | int] = {
            "punctual.bundle": result.bundle,
            "punctual.members": result.members,
            "punctual.of_members": result.of_members,
            "punctual.outcome": result.outcome,
            "punctual.stopped": result.stopped,
        }
        tracer.start_span(name, above, attributes=told, start_time=began_ns).end(ended_ns)
