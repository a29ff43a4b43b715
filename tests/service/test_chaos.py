"""Parts are killed, frozen and restarted: every uuid is answered, none twice, none is stuck."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from model.bunch import Bunch
from tests.service_process import Service, another_image, request_body

TRIES = 3
PATIENCE_S = 1.0
RECOVERY_S = 5.0


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Service]:
    """Two worker processes that take 300 ms for an image, so that there is a middle of a task."""
    with Service(tmp_path, app="tests.slow_workers", light=True, SLOW_READ_MS="300") as running:
        running.start()
        yield running


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Service]:
    """A service as it is, to be broken."""
    with Service(tmp_path, light=True) as running:
        running.start()
        yield running


def call(service: Service, body: dict[str, Any]) -> int:
    """One try of a caller with a second's patience: the status, 0 for no reply at all."""
    began = time.monotonic()
    try:
        status = service.post(body, timeout_s=PATIENCE_S, Prefer="wait=0.9").status_code
    except requests.RequestException:
        status = 0
    if status != 200:
        time.sleep(max(0.0, PATIENCE_S - (time.monotonic() - began)))
    return status


def tries_until_answered(service: Service, body: dict[str, Any]) -> int:
    """How many tries the caller needed."""
    statuses = []
    for attempt in range(1, TRIES + 1):
        statuses.append(call(service, body))
        if statuses[-1] == 200:
            return attempt
    raise AssertionError(f"not answered: {statuses}; see {service.folder}/service.log")


def in_background(service: Service, body: dict[str, Any], **headers: str) -> Future[Any]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(service.post, body, **headers)
    pool.shutdown(wait=False)
    return future


def wait_for_executions(service: Service, count: int) -> None:
    until = time.monotonic() + 10
    while service.executions() < count:
        assert time.monotonic() < until, "no execution began"
        time.sleep(0.005)


def test_a_killed_worker_process_costs_one_repetition_within_the_same_call(slow: Service) -> None:
    """Given both processes in the middle of a task, when both are killed."""
    bodies = [request_body(), request_body()]
    calls = [in_background(slow, body, Prefer="wait=30") for body in bodies]
    wait_for_executions(slow, 2)

    for process in slow.worker_processes():
        process.kill()

    assert [call.result().status_code for call in calls] == [200, 200]
    assert slow.executions() == 4


def test_a_killed_worker_is_replaced_by_another_one(slow: Service) -> None:
    """When the whole worker dies in the middle of a task, a second worker takes over."""
    body = request_body()
    patient = in_background(slow, body, Prefer="wait=30")
    wait_for_executions(slow, 1)
    orphans = slow.worker_processes()

    slow.workers.kill()
    slow.start_workers(1)

    assert patient.result().status_code == 200
    assert slow.executions() <= 2
    _, alive = psutil.wait_procs(orphans, timeout=5)
    assert not alive, "the processes of a killed worker must end by themselves"


def test_the_messages_that_died_with_a_worker_are_answered_after_it_is_back(
    fragile: Service,
) -> None:
    bodies = [request_body() for _ in range(60)]
    with ThreadPoolExecutor(60) as callers:
        first = [callers.submit(call, fragile, body) for body in bodies]
        time.sleep(0.02)
        fragile.workers.kill()
        answered = sum(future.result() == 200 for future in first)
    fragile.wait_for("/readyz", 503)
    fragile.start_workers(2)
    fragile.wait_until_ready()
    with ThreadPoolExecutor(60) as callers:
        again = callers.map(lambda body: fragile.post(body, Prefer="wait=30").status_code, bodies)
        assert set(again) == {200}
    # At most what was in the hands of the two killed processes ran a second time.
    assert fragile.executions() <= 60 + 2 * Bunch.MOST
    assert answered < 60, "the worker was killed too late to prove anything"


def test_a_killed_front_process_loses_nothing(slow: Service) -> None:
    body = request_body()
    in_background(slow, body)
    wait_for_executions(slow, 1)

    for process in slow.front.children():
        process.kill()
    slow.wait_for("/readyz", 200)

    tries_until_answered(slow, body)
    assert slow.executions() == 1


def test_a_frozen_worker_process_does_not_hold_its_request(slow: Service) -> None:
    body = request_body()
    # Loading an ensemble in the other worker takes several seconds of that.
    patient = in_background(slow, body, Prefer="wait=30")
    wait_for_executions(slow, 1)
    frozen = slow.worker_processes()
    for process in frozen:
        process.suspend()
    slow.start_workers(1)

    assert patient.result().status_code == 200

    for process in frozen:
        process.resume()
    time.sleep(1)
    assert slow.post(body).headers["Punctual-Source"] == "kept"
    assert slow.executions() == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_redis_restarts_under_load(fragile: Service, number: signal.Signals) -> None:
    bodies: list[dict[str, Any]] = []
    stop = threading.Event()
    statuses: list[int] = []

    def caller() -> None:
        while not stop.is_set():
            body = request_body()
            bodies.append(body)
            statuses.append(call(fragile, body))

    with ThreadPoolExecutor(8) as callers:
        for _ in range(8):
            callers.submit(caller)
        time.sleep(1)
        fragile.redis.stop(number)
        time.sleep(2)
        fragile.redis.start()
        back = time.monotonic()
        fragile.wait_until_ready(RECOVERY_S)
        while call(fragile, request_body()) != 200:
            assert time.monotonic() - back < RECOVERY_S
        stop.set()

    assert 503 in statuses, "the outage was not even noticed"
    with ThreadPoolExecutor(16) as callers:
        list(callers.map(lambda body: tries_until_answered(fragile, body), bodies))
    # What was running when Redis went may have run twice; nothing else.
    assert fragile.executions() <= len(bodies) + 2 * Bunch.MOST


def test_redis_away_is_told_at_once(fragile: Service) -> None:
    fragile.redis.stop()
    fragile.wait_for("/readyz", 503)
    response = fragile.post(request_body())
    assert response.status_code == 503
    assert response.json()["type"] == "urn:punctual:problem:queue-away"
    assert response.headers["Retry-After"] == "1"
    assert "punctual_redis_up 0.0" in fragile.get("/metrics").text
    assert fragile.log().count("ERROR web.outage problem=queue-away cause=ConnectionError") == 1
    fragile.redis.start()
    fragile.wait_until_ready(RECOVERY_S)
    assert fragile.insist(request_body()).status_code == 200


def test_a_full_redis_is_told_and_kept_answers_are_given(fragile: Service) -> None:
    kept = request_body()
    assert fragile.insist(kept).status_code == 200
    fragile.redis.client.config_set("maxmemory", 1)
    problem = "urn:punctual:problem:queue-full"
    assert fragile.post(request_body(image=another_image(1))).json()["type"] == problem
    # By then workers count as idle for too long, as no probe finds room.
    fragile.wait_for("/readyz", 503)
    refused = fragile.post(request_body(image=another_image(2)))
    assert refused.json()["type"] == problem
    assert "Retry-After" in refused.headers
    assert fragile.post(kept).headers["Punctual-Source"] == "kept"

    fragile.redis.client.config_set("maxmemory", 0)
    fragile.wait_until_ready(RECOVERY_S)
    assert fragile.insist(request_body(image=another_image(2))).status_code == 200


def test_a_frozen_redis_is_found_out_and_comes_back(fragile: Service) -> None:
    fragile.redis.send(signal.SIGSTOP)
    fragile.wait_for("/readyz", 503)
    assert fragile.post(request_body()).status_code == 503
    fragile.redis.send(signal.SIGCONT)
    fragile.wait_until_ready(RECOVERY_S)
    tries_until_answered(fragile, request_body())


def test_replies_leave_on_time_though_redis_hangs(fragile: Service) -> None:
    """Given 200 callers at the moment Redis falls silent, nobody waits for its connections."""
    with ThreadPoolExecutor(200) as callers:
        fragile.redis.send(signal.SIGSTOP)
        hurried = partial(fragile.post, timeout_s=2, Prefer="wait=0.9")
        calls = [callers.submit(hurried, request_body()) for _ in range(200)]
        assert {call.result().status_code for call in calls} <= {503, 504}
    fragile.redis.send(signal.SIGCONT)
    fragile.wait_until_ready(RECOVERY_S)
    tries_until_answered(fragile, request_body())


def test_without_workers_nothing_is_promised(fragile: Service) -> None:
    fragile.workers.terminate()
    fragile.workers.wait()
    response = fragile.post(request_body())
    assert response.status_code == 503
    assert response.json()["type"] == "urn:punctual:problem:no-worker-ready"
    assert response.headers["Retry-After"] == "1"
    assert fragile.get("/readyz").status_code == 503


def test_a_stopped_worker_finishes_what_it_runs(slow: Service) -> None:
    body = request_body()
    patient = in_background(slow, body)
    wait_for_executions(slow, 1)
    slow.workers.terminate()
    assert patient.result().status_code == 200
    slow.workers.wait(timeout=10)
    assert slow.executions() == 1


def test_a_late_answer_is_kept_for_the_resend(slow: Service) -> None:
    body = request_body()
    late = slow.post(body, Prefer="wait=0.1")
    assert late.status_code == 504
    assert late.json()["type"] == "urn:punctual:problem:answer-late"
    assert late.headers["Retry-After"] == "1"
    assert late.headers["Preference-Applied"] == "wait=0.1"

    again = slow.post(body, Prefer="wait=5")

    assert again.status_code == 200
    assert again.headers["Punctual-Source"] == "joined"
    assert slow.post(body).headers["Punctual-Source"] == "kept"
    assert slow.executions() == 1


def test_a_slow_load_does_not_get_a_worker_killed(tmp_path: Path) -> None:
    """Celery kills a process that is not up after 4 seconds, unless it is told otherwise."""
    service = Service(tmp_path, app="tests.slow_workers", light=True, SLOW_LOAD_MS="6000")
    try:
        service.start(concurrency=1)
        assert service.insist(request_body()).status_code == 200
        assert "UP message" not in service.log()
    finally:
        service.stop()


def test_a_process_that_memory_is_too_short_for_starts_when_there_is_more(tmp_path: Path) -> None:
    free = tmp_path / "free"
    free.write_text("0")
    service = Service(tmp_path, app="tests.slow_workers", light=True, FREE_BYTES=str(free))
    try:
        service.redis.start()
        service.start_front()
        service.start_workers(2)
        service.wait_until_ready()
        service.wait_until(lambda: "waits for memory: a process takes" in service.log())
        assert service.get("/readyz").json()["workers"] == 1
        assert service.insist(request_body()).status_code == 200
        free.write_text(str(1 << 40))
        service.wait_until(lambda: service.get("/readyz").json().get("workers") == 2)
    finally:
        service.stop()


def test_a_loading_worker_takes_no_messages(tmp_path: Path) -> None:
    """Given one ready worker and one that loads for a minute, every message goes to the first."""
    service = Service(tmp_path, light=True)
    try:
        service.start(concurrency=1)
        service._app = "tests.slow_workers"
        service._environment["SLOW_LOAD_MS"] = "60000"
        service.start_workers(2)
        while service.log().count(" ready.") < 2:
            time.sleep(0.1)
        for _ in range(100):
            assert service.insist(request_body()).status_code == 200
    finally:
        service.stop()


def test_a_worker_with_a_damaged_bundle_says_so_and_ends(tmp_path: Path) -> None:
    service = Service(tmp_path, BUNDLE=str(tmp_path / "nothing"))
    try:
        service.redis.start()
        worker = service.start_workers(1)
        assert worker.wait(timeout=30) is not None
        assert "Cannot start: " in service.log()
    finally:
        service.stop()
