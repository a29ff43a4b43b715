"""Traces: the spans of a request, from a front and a worker process to a collector."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service_process import Service, another_image, request_body

CALLERS = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Takes what is sent to it by OTLP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.spans: list[tuple[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def of(self, program: str, name: str) -> list[Any]:
        return [span for told, span in self.spans if (told, span.name) == (program, name)]

    def fronts(self, uuid: str) -> list[Any]:
        """A front's spans of this uuid."""
        spans = self.of("punctual-front", "POST /inference")
        return [span for span in spans if attributes(span)["punctual.uuid"] == uuid]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        told = ExportTraceServiceRequest.FromString(
            self.rfile.read(int(self.headers["Content-Length"]))
        )
        for resource in told.resource_spans:
            name = attributes(resource.resource)["service.name"]
            for scope in resource.scope_spans:
                self.server.spans += [(name, span) for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: a test's output is its own."""


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector
        collector.shutdown()


@pytest.fixture(scope="module")
def service(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Slow enough for a copy to join."""
    with Service(
        tmp_path_factory.mktemp("traces"),
        app="tests.slow_workers",
        light=True,
        SLOW_READ_MS="400",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        TRACED_PERCENT="100",
    ) as running:
        running.start(concurrency=1)
        yield running


def test_a_request_is_followed_to_its_worker_and_its_copies_are_linked(
    service: Service, collector: Collector
) -> None:
    body = request_body(image=another_image(1))
    processes = service.worker_processes()
    with ThreadPoolExecutor(2) as callers:
        for process in processes:
            process.suspend()
        calls = [callers.submit(service.post, body, Prefer="wait=20") for _ in range(2)]
        # So long that both are there, and no worker is thought to be lost.
        time.sleep(0.3)
        for process in processes:
            process.resume()
        copies = [call.result() for call in calls]
    copies.append(service.post(body))
    sources = ["computed", "joined", "kept"]
    assert sorted(copy.headers["Punctual-Source"] for copy in copies) == sources
    service.wait_until(lambda: len(collector.fronts(body["esun_uuid"])) == len(copies))
    by_source = {
        attributes(span)["punctual.source"]: span for span in collector.fronts(body["esun_uuid"])
    }
    first = by_source.pop("computed")
    assert attributes(first)["http.response.status_code"] == 200
    assert not first.links
    assert not first.parent_span_id
    for span in by_source.values():
        assert span.trace_id != first.trace_id
        assert [link.span_id for link in span.links] == [first.span_id]

    def below(name: str) -> list[Any]:
        spans = collector.of("punctual-worker", name)
        return [span for span in spans if span.parent_span_id == first.span_id]

    service.wait_until(lambda: bool(below("read")))
    (queue,), (read,) = below("queue"), below("read")
    assert {queue.trace_id, read.trace_id} == {first.trace_id}
    assert attributes(read)["punctual.bundle"] == service.line
    assert first.start_time_unix_nano <= queue.start_time_unix_nano <= queue.end_time_unix_nano
    assert queue.end_time_unix_nano == read.start_time_unix_nano < read.end_time_unix_nano
    # To the millisecond: the worker's clock and the front's are one here.
    assert read.end_time_unix_nano <= first.end_time_unix_nano + 1_000_000


def test_a_caller_who_traces_decides_for_itself(service: Service, collector: Collector) -> None:
    """Of what its traceparent says that is not to be traced, nothing is sent."""
    untraced, traced, failed = (request_body(image=another_image(n)) for n in (2, 3, 4))
    failed["image"] = "AAAA"
    names = {"Prefer": "wait=20", "traceparent": f"00-{CALLERS}-00"}
    assert service.post(untraced, **names).status_code == 200
    assert service.post(failed, Prefer="wait=20").status_code == 422
    names["traceparent"] = f"00-{CALLERS}-01"
    assert service.post(traced, **names).status_code == 200
    service.wait_until(lambda: bool(collector.fronts(traced["esun_uuid"])))
    (span,) = collector.fronts(traced["esun_uuid"])
    assert f"{span.trace_id.hex()}-{span.parent_span_id.hex()}" == CALLERS
    # Sent in order, so by now it would be there.
    assert not collector.fronts(untraced["esun_uuid"])
    (span,) = collector.fronts(failed["esun_uuid"])
    assert attributes(span)["punctual.problem"] == "image-unreadable"
