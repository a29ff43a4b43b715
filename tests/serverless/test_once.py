"""A Redis keeps a uuid: processes that know nothing of each other read its image once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deploy.serverless.function import Call, Function, Reply
from deploy.serverless.once import Once
from deploy.serverless.settings import ServerlessSettings
from tests.conftest import AnyRedis
from tests.memory_redis import MemoryRedis
from tests.web.test_app import ANOTHER, FAILED, RESULT, UNREADABLE, body
from workers.contract.clock import wall_clock_ms
from workers.contract.result import Result


class Process:
    """A function of its own, whose reader does as the test says, and counts."""

    def __init__(self, redis: Any, result: Result = RESULT, **settings: Any) -> None:
        self.bundle = result.bundle
        self.result, self.readings = result, 0
        self.may_end = threading.Event()
        self.may_end.set()
        self.began = threading.Event()
        once = Once(redis, result.bundle, 60_000, wall_clock_ms)
        reader: Any = self
        given = ServerlessSettings(**{"answer_within_ms": 20_000, **settings})
        self.function = Function(reader, once, given, wall_clock_ms)

    def read(self, _: bytes, __: int) -> Result:
        self.readings += 1
        self.began.set()
        assert self.may_end.wait(10)
        return self.result

    def post(self, asked: dict[str, Any], left_ms: int = 30_000) -> Reply:
        return self.function.reply(Call(json.dumps(asked).encode()), left_ms)


def source(reply: Reply) -> str:
    return reply.headers["Punctual-Source"]


def kind(reply: Reply) -> tuple[int, str]:
    return reply.status, json.loads(reply.body)["type"].removeprefix("urn:punctual:problem:")


def test_a_resend_gets_the_kept_answer_from_any_process(any_redis: AnyRedis) -> None:
    first, second = Process(any_redis.client), Process(any_redis.client)
    answer = first.post(body())
    again = second.post(body(retry=1))
    assert (source(answer), source(again)) == ("computed", "kept")
    assert again.body == answer.body
    assert again.headers["Server-Timing"] == "queue;dur=0, compute;dur=0"
    assert second.readings == 0
    (key,) = any_redis.client.keys()
    assert 0 < any_redis.client.pttl(key) <= 60_000


def test_a_copy_joins_what_another_process_reads(any_redis: AnyRedis) -> None:
    reads, joins = Process(any_redis.client), Process(any_redis.client)
    reads.may_end.clear()
    with ThreadPoolExecutor() as callers:
        first = callers.submit(reads.post, body())
        assert reads.began.wait(10)
        second = callers.submit(joins.post, body())
        late = joins.function.reply(Call(json.dumps(body()).encode(), prefer=["wait=0.05"]), 30_000)
        assert kind(late) == (504, "answer-late")
        assert late.headers["Retry-After"] == "1"
        reads.may_end.set()
        assert source(first.result(10)) == "computed"
        assert source(second.result(10)) in {"joined", "kept"}
        assert second.result().body == first.result().body
    assert joins.readings == 0


def test_another_image_is_a_conflict_and_another_algorithm_is_not(memory: MemoryRedis) -> None:
    process = Process(memory.client)
    process.post(body())
    assert kind(process.post(body(image=ANOTHER))) == (422, "uuid-conflict")
    other = Process(memory.client, RESULT._replace(bundle="photos/1"))
    assert source(other.post(body(image=ANOTHER))) == "computed"


def test_what_cannot_be_read_is_kept_and_a_failure_is_not(memory: MemoryRedis) -> None:
    process = Process(memory.client, UNREADABLE)
    for _ in range(2):
        assert kind(process.post(body())) == (422, "image-unreadable")
    assert process.readings == 1
    process = Process(memory.client, FAILED)
    for _ in range(2):
        assert kind(process.post(body("another"))) == (500, "engine-failed")
    assert process.readings == 2


def test_a_process_that_was_ended_is_taken_over_from(any_redis: AnyRedis) -> None:
    """Its lease is as long as it could have lived; what it finishes later stands aside."""
    dies, takes = Process(any_redis.client), Process(any_redis.client)
    dies.may_end.clear()
    with ThreadPoolExecutor() as callers:
        first = callers.submit(dies.post, body(), left_ms=100)
        assert dies.began.wait(10)
        dies.result = RESULT._replace(text="late")
        assert source(takes.post(body())) == "computed"
        dies.may_end.set()
        assert first.result(10).status == 200
    assert json.loads(takes.post(body()).body)["answer"] == RESULT.text
    assert takes.readings == 1


def test_without_its_redis_nothing_is_begun(memory: MemoryRedis) -> None:
    process = Process(memory.client)
    memory.go_away()
    reply = process.post(body())
    assert kind(reply) == (503, "queue-away")
    assert reply.headers["Retry-After"] == "1"
    assert process.readings == 0


def test_an_answer_that_cannot_be_kept_is_given(
    memory: MemoryRedis, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(memory.client)
    read = process.read

    def lose(image: bytes, until_ms: int) -> Result:
        memory.go_away()
        return read(image, until_ms)

    process.read = lose  # type: ignore[assignment, method-assign]
    assert source(process.post(body())) == "computed"
    assert "could not be kept" in caplog.text
