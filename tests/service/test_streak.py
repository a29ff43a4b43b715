"""Messages that a process takes by itself: each is read once, told once, and given back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from model.bunch import Bunch
from tests.service.test_anytime import at_once
from tests.service_process import Service, another_image, request_body

# Twenty of them take less than a lease: of one that waits as long its front asks whether it was
# lost, and in the moment in which it is in hand and not begun it is put in line once more.
ONE_BY_ONE = {"SLOW_READ_MS": "30"}
TOGETHER = {"SLOW_MEMBER_MS": "20", "BUNCH_MS": "10"}


@pytest.fixture(params=[ONE_BY_ONE, TOGETHER], ids=["one by one", "several together"])
def slow(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """One process, so that what comes while it reads waits for it."""
    with Service(tmp_path, app="tests.slow_workers", light=True, **request.param) as service:
        service.start(1)
        yield service


@contextmanager
def events(service: Service) -> Iterator[list[dict[str, Any]]]:
    """What Flower would hear for the length of the block."""
    seen: list[dict[str, Any]] = []
    heard, ends = threading.Event(), threading.Event()

    def listen() -> None:
        with Celery(broker=service.redis.url).connection_for_read() as connection:
            receiver = Celery().events.Receiver(connection, handlers={"*": seen.append})
            for _ in receiver.consume(limit=None, timeout=None, wakeup=False):
                heard.set()
                if ends.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    # A worker beats every few seconds.
    assert heard.wait(20)
    yield seen
    ends.set()
    thread.join(20)


def all_at_once(service: Service, bodies: list[dict[str, Any]]) -> list[int]:
    return [reply.status_code for reply in at_once(service, bodies, "wait=30")]


def test_all_that_waits_is_read_once_and_flower_hears_of_each(slow: Service) -> None:
    bodies = [request_body(image=another_image(number)) for number in range(20)]
    with events(slow) as seen:
        assert all_at_once(slow, bodies) == [200] * 20

        def told(kind: str) -> Counter[str]:
            ours = [each for each in list(seen) if each["type"] == kind and "." not in each["uuid"]]
            return Counter(each["uuid"] for each in ours)

        uuids = Counter(body["esun_uuid"] for body in bodies)
        slow.wait_until(lambda: told("task-succeeded") == uuids == told("task-received"))
        # Those that Celery brought have started by its account, the others by their own.
        assert 0 < len(told("task-started")) < len(uuids)
    assert slow.executions() == 20


def test_what_a_process_had_taken_itself_is_read_by_another_one(slow: Service) -> None:
    bodies = [request_body(image=another_image(number)) for number in range(12)]
    with ThreadPoolExecutor(1) as caller:
        statuses = caller.submit(all_at_once, slow, bodies)
        slow.wait_until(lambda: slow.executions() >= 2)
        for process in slow.worker_processes():
            process.kill()
        assert statuses.result() == [200] * 12
    assert slow.executions() <= 12 + Bunch.MOST
