"""The engine fails, or an image takes its workers with it: the caller is told, the rest goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.programs import Program
from tests.service_process import (
    SAMPLE_ANSWER,
    Service,
    another_image,
    bundle_with,
    request_body,
)
from workers.contract.keys import WORKERS

Faulty = Callable[[str], Service]


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulty]:
    """Starts a service whose engine has that fault on every image but the golden ones."""
    started: list[Service] = []

    def start(fault: str) -> Service:
        started.append(Service(tmp_path, app="tests.slow_workers", light=True, READ_FAULT=fault))
        started[0].start(concurrency=1)
        return started[0]

    yield start
    for service in started:
        service.stop()


def test_a_failing_engine_is_told_and_the_uuid_stays_free(faulty: Faulty) -> None:
    service = faulty("raise")
    body = request_body(image=another_image())
    for execution in (1, 2):
        response = service.post(body)
        assert response.status_code == 500
        assert response.json()["type"] == "urn:punctual:problem:engine-failed"
        assert response.json()["esun_uuid"] == body["esun_uuid"]
        assert service.executions() == execution
    assert service.post(request_body()).json()["answer"] == SAMPLE_ANSWER


def test_an_image_that_kills_its_workers_is_given_up(faulty: Faulty) -> None:
    service = faulty("die")
    response = service.post(request_body(image=another_image()), Prefer="wait=30")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:punctual:problem:engine-failed"
    assert "died" in response.json()["detail"]
    assert service.executions() == 3
    while (response := service.post(request_body(), Prefer="wait=10")).status_code != 200:
        assert response.status_code == 503, "the replaced process is still loading"
        time.sleep(0.1)
    assert response.json()["answer"] == SAMPLE_ANSWER


@pytest.mark.parametrize(
    ("fault", "bounds"),
    [("hang", {"TASK_LIMIT_MS": "1500"}), ("grow", {"TASK_MEMORY_BYTES": "200000000"})],
)
def test_a_task_beyond_its_bounds_is_ended_told_and_not_tried_again(
    tmp_path: Path, fault: str, bounds: dict[str, str]
) -> None:
    with Service(
        tmp_path, app="tests.slow_workers", light=True, READ_FAULT=fault, **bounds
    ) as service:
        service.start(concurrency=1)
        body = request_body(image=another_image())
        [victim] = service.worker_processes()
        response = service.post(body, Prefer="wait=30")
        assert response.status_code == 500
        assert response.json()["type"] == "urn:punctual:problem:engine-failed"
        assert response.elapsed.total_seconds() < 15, "told by its own clock, not by the bound"
        assert "ending the task" in service.log()
        service.wait_until(lambda: not victim.is_running())
        # The entry of the image still knows.
        assert service.post(body).status_code == 500
        assert service.executions() == 1
        service.wait_until(
            lambda: service.post(request_body(), Prefer="wait=10").status_code == 200
        )


def test_bounds_hold_after_redis_was_away(tmp_path: Path) -> None:
    """Celery forgets what is to be done repeatedly when it connects anew."""
    with Service(
        tmp_path, app="tests.slow_workers", light=True, READ_FAULT="hang", TASK_LIMIT_MS="1500"
    ) as service:
        service.start(concurrency=1)
        service.redis.stop()
        service.wait_for("/readyz", 503)
        service.redis.start()
        service.wait_until_ready()
        response = service.post(request_body(image=another_image()), Prefer="wait=30")
        assert response.status_code == 500


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_pool_without_processes_is_refused_at_the_start(tmp_path: Path, pool: str) -> None:
    with Service(tmp_path) as service:
        service.redis.start()
        worker = service.spawn(
            Program("workers", ("celery", "-A", "workers", "worker", "-P", pool))
        )
        assert worker.wait(timeout=60) != 0
        assert "--pool=prefork" in service.log()
        assert "Traceback" not in service.log()


def test_a_worker_stops_soon_though_redis_is_away(tmp_path: Path) -> None:
    with Service(tmp_path, light=True) as service:
        service.redis.start()
        service.start_workers(1)
        service.wait_until(lambda: service.redis.client.zcard(service.key(WORKERS)) == 1)
        service.redis.stop()
        began = time.monotonic()
        service.workers.terminate()
        service.workers.wait(timeout=30)
        assert time.monotonic() - began < 8


def test_a_stopping_worker_gives_back_what_it_has_not_begun(tmp_path: Path) -> None:
    """Given two workers and a steady stream, when one stops, no caller notices."""
    service = Service(tmp_path, light=True)
    try:
        service.start(concurrency=1)
        leaving = service.workers
        service.start_workers(1)
        service.wait_until(lambda: service.get("/readyz").json().get("workers") == 2)
        statuses = [service.post(request_body()).status_code for _ in range(20)]
        leaving.terminate()
        while leaving.poll() is None:
            statuses.append(service.post(request_body()).status_code)
        assert set(statuses) == {200}
    finally:
        service.stop()


def test_a_damaged_bundle_does_not_stop_the_processes_that_serve(tmp_path: Path) -> None:
    """Given two processes, when one dies and cannot load any more, the other one reads on."""
    bundle = bundle_with(tmp_path / "bundle")
    service = Service(tmp_path, BUNDLE=str(bundle))
    try:
        service.start(concurrency=2)
        (bundle / "manifest.json").write_text("{}")
        service.worker_processes()[0].kill()
        while "this process cannot serve" not in service.log():
            assert service.insist(request_body()).status_code == 200
        assert service.insist(request_body()).status_code == 200
    finally:
        service.stop()


def test_a_worker_whose_folder_holds_another_version_by_now_ends(tmp_path: Path) -> None:
    """Its processes would answer, by one version's name, with what another one reads."""
    bundle = bundle_with(tmp_path / "bundle")
    service = Service(tmp_path, BUNDLE=str(bundle))
    try:
        service.start(concurrency=2)
        manifest = json.loads((bundle / "manifest.json").read_text())
        (bundle / "manifest.json").write_text(json.dumps(manifest | {"version": "another"}))
        service.worker_processes()[0].kill()
        assert service.workers.wait(timeout=60) is not None
        assert service.executions() == 0
    finally:
        service.stop()
