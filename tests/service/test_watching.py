"""What is counted and logged by several fronts adds up, and leads from a front to a worker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from deploy import programs
from tests.redis_process import free_port
from tests.service_process import Service, request_body
from tests.test_kubernetes import scaled_by
from tests.test_monitoring import metrics_of, panel_expressions, rules


class Fronts:
    """Two fronts of two processes each, and one worker."""

    def __init__(self, folder: Path) -> None:
        self.service = Service(folder, WEB_PROCESSES="2", LOG_FORMAT="json")
        self.other = free_port()

    def start(self) -> None:
        self.service.start(concurrency=1)
        program = programs.web({"STATE": f"{self.service.folder}/other"})
        environment = {**program.environment, "WEB_BIND": f"127.0.0.1:{self.other}"}
        self.service.spawn(dataclasses.replace(program, environment=environment))
        self.service.wait_until(lambda: self.sample(self.other, "punctual_ready") == 1)

    def sample(self, port: int, name: str, **labels: str) -> float | None:
        """Of one front; the sum, where several have these labels."""
        try:
            text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        except requests.ConnectionError:
            return None
        found = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    @property
    def ports(self) -> tuple[int, int]:
        return self.service.port, self.other


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    both = Fronts(tmp_path_factory.mktemp("watching"))
    try:
        both.start()
        yield both
    finally:
        both.service.stop()


def test_what_fronts_and_their_processes_count_adds_up(fronts: Fronts) -> None:
    """Bad calls, each over a connection of its own, so that both processes of a front get some."""
    for port, count in zip(fronts.ports, (24, 16), strict=True):
        for _ in range(count):
            requests.post(f"http://127.0.0.1:{port}/inference", b"{", timeout=5)
    told = [fronts.sample(port, "punctual_responses_total", status="400") for port in fronts.ports]
    assert told == [24, 16]


def test_what_fronts_read_from_redis_is_the_same_at_each(fronts: Fronts) -> None:
    body = request_body()
    assert fronts.service.insist(body).status_code == 200
    fronts.service.wait_until(
        lambda: (
            [fronts.sample(port, "punctual_executions_total") for port in fronts.ports] == [1, 1]
        )
    )
    for name in ("punctual_workers", "punctual_ready", "punctual_redis_memory_bytes"):
        assert all(fronts.sample(port, name) for port in fronts.ports), name
    # What is asked for counts for a while, though nothing waits.
    fronts.service.wait_until(
        lambda: all(fronts.sample(port, "punctual_work_process_seconds") for port in fronts.ports)
    )
    assert [fronts.sample(port, "punctual_work_seconds") for port in fronts.ports] == [0, 0]


def test_every_metric_of_a_rule_or_a_panel_is_told(fronts: Fronts) -> None:
    fronts.service.redis.client.config_set("maxmemory", "100mb")
    families = list(text_string_to_metric_families(fronts.service.get("/metrics").text))
    told = {sample.name for family in families for sample in family.samples}
    # There are no workers of another version here.
    told |= {family.name for family in families if not family.samples}
    # Nor is evidence kept, of which something could be lost.
    told.add("punctual_evidence_lost_total")
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    expressions = [*(rule["expr"] for rule in rules()), *panel_expressions(), scaled_by()]
    for expression in expressions:
        unknown = metrics_of(expression) - told - recorded - {"up", "ALERTS"}
        assert not unknown, expression


def test_a_uuid_is_found_at_the_front_and_at_the_worker(fronts: Fronts) -> None:
    body = request_body()
    uuid = body["esun_uuid"]
    assert fronts.service.insist(body).status_code == 200

    def lines() -> list[dict[str, object]]:
        """The banner of Celery aside, each line is an object."""
        return [json.loads(line) for line in fronts.service.log().splitlines() if line[:1] == "{"]

    fronts.service.wait_until(
        lambda: (
            {"web.inference", "workers.reader"}
            <= {str(line["logger"]) for line in lines() if line.get("uuid") == uuid}
        )
    )
    (front,) = (x for x in lines() if x.get("uuid") == uuid and x["logger"] == "web.inference")
    assert (front["level"], front["status"], front["source"]) == ("INFO", 200, "computed")
    assert str(front["message"]).startswith(f"algorithm=handwriting uuid={uuid} status=200")
    (worker,) = (x for x in lines() if x.get("uuid") == uuid and x["logger"] == "workers.reader")
    assert (worker["outcome"], worker["bundle"]) == ("answered", fronts.service.line)
    loggers = {line["logger"] for line in lines()}
    assert "gunicorn.error" in loggers
    assert "gunicorn.access" not in loggers
