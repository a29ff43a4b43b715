"""Several algorithms beside each other: each has its own workers, answers and troubles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.service_process import Service, bundle_with, end, request_body
from workers.contract import keys

OTHER = "forms"


class Two:
    """A service of two algorithms. What the second one reads is what the first one does."""

    def __init__(self, folder: Path) -> None:
        self.bundle = bundle_with(folder / "bundle", name=OTHER)
        self.service = Service(folder, light=True)
        self.line = self.service.line.replace(self.service.algorithm, OTHER, 1)

    def start(self) -> None:
        self.service.start(concurrency=1)
        self.workers = self.service.start_workers_of(OTHER, self.bundle)
        self.service.wait_until(lambda: self.states().get(OTHER) == "ready")

    def states(self) -> dict[str, str]:
        algorithms = self.service.get("/algorithms").json()["algorithms"]
        return {card["name"]: card["state"] for card in algorithms}

    def executions(self) -> int:
        """Of the second algorithm."""
        counts = keys.of(self.line, keys.COUNTS)
        return int(self.service.redis.client.hget(counts, "executions") or 0)

    def lose(self, workers: psutil.Popen, name: str) -> None:
        end(workers)
        self.service.wait_until(lambda: self.states()[name] == "absent")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    both = Two(tmp_path)
    try:
        both.start()
        yield both
    finally:
        both.service.stop()


def test_each_answers_under_its_name_and_one_uuid_is_two_requests(two: Two) -> None:
    body = request_body()
    first = two.service.insist(body)
    second = two.service.insist(body, algorithm=OTHER)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["Punctual-Bundle"] == two.service.line
    assert second.headers["Punctual-Bundle"] == two.line
    assert second.headers["Punctual-Source"] == "computed"
    assert two.service.post(body, algorithm=OTHER).headers["Punctual-Source"] == "kept"
    assert (two.service.executions(), two.executions()) == (1, 1)
    assert two.service.get("/algorithms").json()["default"] == two.service.algorithm


def test_who_loses_its_workers_refuses_its_own_calls_alone(two: Two) -> None:
    kept = request_body()
    assert two.service.insist(kept, algorithm=OTHER).status_code == 200
    two.lose(two.workers, OTHER)
    assert two.service.post(request_body(), algorithm=OTHER).status_code == 503
    assert two.service.post(kept, algorithm=OTHER).headers["Punctual-Source"] == "kept"
    assert two.service.get("/readyz").status_code == 200
    for _ in range(10):
        assert two.service.insist(request_body()).status_code == 200


def test_nobody_answers_for_the_default_algorithm(two: Two) -> None:
    two.lose(two.service.workers, two.service.algorithm)
    assert two.service.post(request_body()).status_code == 503
    assert two.service.get("/readyz").status_code == 503
    assert two.service.insist(request_body(), algorithm=OTHER).status_code == 200
