"""Traces: a front's part in what became of a few requests.

OpenTelemetry's own instrumentation takes three times as long as a request. Here one that is not
traced costs a look at its uuid; the span of one that is ends when its caller has the reply.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from web.wire import InferenceRequest
from workers.contract import spans
from workers.contract.result import Result

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_ALL = 2**32


class Traces:
    """``endpoint``: of a collector; without one nothing is traced.

    ``percent``: so many of the uuids are. All copies of one are or none is, whichever front they
    reach. A caller who has a ``traceparent`` decides for itself.
    """

    def __init__(self, endpoint: str, percent: float) -> None:
        self._endpoint = endpoint
        self._below = percent / 100 * _ALL
        self._tracer: Tracer | None = None

    def start(self) -> None:
        """Begin to trace, in the process that serves."""
        if self._endpoint:
            self._tracer = spans.provider(self._endpoint, "front").get_tracer(__name__)

    def begin(self, asked: InferenceRequest, parent: str | None, arrived_ms: int) -> Span | None:
        """The span of a request, if that is traced; ``parent``: its caller's ``traceparent``."""
        if self._tracer is None:
            return None
        caller = spans.named(parent) if parent else None
        by_uuid = zlib.crc32(asked.uuid.encode()) < self._below
        if not (caller.trace_flags.sampled if caller else by_uuid):
            return None
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            "POST /inference",
            spans.under(caller),
            SpanKind.SERVER,
            {"http.request.method": "POST", "punctual.uuid": asked.uuid},
            start_time=arrived_ms * spans.NS_PER_MS,
        )
        asked.trace = spans.traceparent(span)
        return span


def end(
    span: Span, status: int, result: Result | None, answered_ms: int, told: Mapping[str, str]
) -> None:
    """A request was replied to. Where the result is that of another one, their spans are linked."""
    from opentelemetry.trace import StatusCode

    span.set_attribute("http.response.status_code", status)
    span.set_attributes({f"punctual.{name}": text for name, text in told.items() if text})
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
    other = spans.named(result.trace) if result and result.trace else None
    if other and other.span_id != span.get_span_context().span_id:
        span.add_link(other)
    span.end(answered_ms * spans.NS_PER_MS)
