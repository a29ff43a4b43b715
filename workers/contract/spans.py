"""Spans: where OpenTelemetry's go, and how one names another across processes.

OpenTelemetry is imported when a place for spans is set, and not otherwise.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext

# Many at once would keep a front from its callers while they are encoded: so few take 2 ms.
_BATCH = 32
_EVERY_MS = 1_000

# No collector that is away costs a process that ends more than this.
_WITHIN_S = 2

NS_PER_MS: Final = 1_000_000


def provider(endpoint: str, program: str) -> TracerProvider:
    """Sends every span to a collector, from a thread that does not survive a fork."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ImportError:
        sys.exit("Cannot start: OTEL_EXPORTER_OTLP_ENDPOINT needs pip install 'punctual[traces]'")
    name = {
        "service.name": f"punctual-{program}",
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    found = TracerProvider(ALWAYS_ON, Resource.create(name))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_WITHIN_S)
    found.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=_EVERY_MS, max_export_batch_size=_BATCH)
    )
    return found


def traceparent(span: Span) -> str:
    """The span's name, as W3C Trace Context has it."""
    from opentelemetry.trace import set_span_in_context

    carrier: dict[str, str] = {}
    _propagator().inject(carrier, set_span_in_context(span))
    return carrier["traceparent"]


def named(name: str) -> SpanContext | None:
    """The span of that name; None when that is none."""
    from opentelemetry.trace import get_current_span

    found = get_current_span(_propagator().extract({"traceparent": name})).get_span_context()
    return found if found.is_valid else None


def under(parent: SpanContext | None) -> Context:
    """For spans below another one, or at the top."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(parent)) if parent else Context()


def _propagator() -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()
