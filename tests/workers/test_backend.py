"""``AsyncResult(uuid)``: Celery's own way to ask, answered from the ledger."""

from __future__ import annotations

import threading

import pytest
from celery.exceptions import TimeoutError as CeleryTimeout
from celery.result import AsyncResult

from tests.conftest import AnyRedis
from tests.memory_redis import MemoryRedis
from tests.workers.test_ledger import ALGORITHM, FAILURE, PARTIAL, RESULT, UUID, Desk
from workers import backend
from workers.backend import Unreadable
from workers.celery import app
from workers.contract.keys import DEFAULT
from workers.contract.line import Permission
from workers.contract.result import Outcome


@pytest.fixture
def desk(any_redis: AnyRedis, monkeypatch: pytest.MonkeyPatch) -> Desk:
    if isinstance(any_redis, MemoryRedis):
        monkeypatch.setattr(backend, "patient", any_redis.connect)
    else:
        monkeypatch.setenv("REDIS_URL", any_redis.url)
    monkeypatch.setattr(app, "_local", threading.local())
    app.__dict__.pop("backend", None)
    any_redis.client.set(DEFAULT, ALGORITHM)
    return Desk(any_redis)


def asked() -> AsyncResult:
    return AsyncResult(UUID, app=app)


def test_it_follows_a_request_from_nothing_to_its_answer(desk: Desk) -> None:
    assert asked().state == "PENDING"
    desk.arrive()
    assert asked().state == "PENDING"
    desk.pick_up()
    assert (asked().state, asked().ready()) == ("STARTED", False)
    desk.finish()
    assert asked().successful()
    assert asked().result == asked().get(timeout=1) == RESULT.text


def test_a_partial_answer_gives_way_to_the_whole_one(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    assert asked().result == PARTIAL.text
    desk.finish(RESULT)
    assert asked().result == RESULT.text


def test_what_cannot_be_read_is_a_failure_that_says_why(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(RESULT._replace(outcome=Outcome.UNREADABLE, text="not an image"))
    assert asked().failed()
    with pytest.raises(Unreadable, match="not an image"):
        asked().get(timeout=1)


def test_a_failed_engine_leaves_the_request_free(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(FAILURE)
    assert asked().state == "PENDING"


def test_waiting_ends_and_leaves_nothing_behind(desk: Desk) -> None:
    desk.arrive()
    before = set(desk.redis.keys())
    with pytest.raises(CeleryTimeout):
        asked().get(timeout=0.2)
    assert set(desk.redis.keys()) == before
    assert desk.redis.pubsub_channels() == []


def test_nobody_forgets_an_answer_for_others(desk: Desk) -> None:
    desk.arrive()
    assert desk.pick_up() is Permission.RUN
    desk.finish()
    with pytest.raises(NotImplementedError, match="KEEP_FOR_MS"):
        asked().forget()
    assert asked().successful()
