"""A whole front in this process, Redis in its memory, and the worker's side in a test's hand."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any
from unittest.mock import Mock

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from werkzeug.test import TestResponse

from tests.memory_redis import MemoryRedis
from tests.service_process import proof
from web import listener
from web.app import create_app
from web.settings import WebSettings
from workers.contract import keys
from workers.contract.line import Line, Permission, Rate, Turn
from workers.contract.result import Outcome, Result
from workers.contract.settings import QueueSettings

IMAGE, ANOTHER = b"some picture's bytes", b"another picture's bytes"
ALGORITHM = "handwriting"
RESULT = Result(Outcome.ANSWERED, "德", f"{ALGORITHM}/1", 5, 5, True, 7, 9_100, 1_700_000_000)
UNREADABLE = dataclasses.replace(RESULT, outcome=Outcome.UNREADABLE, text="no image", members=0)
FAILED = dataclasses.replace(RESULT, outcome=Outcome.FAILED, text="the engine failed", members=0)

# Nothing here runs out by itself, however slow the machine is; who is told nothing fails before.
PATIENT = {"lease_ms": 60_000, "ready_within_ms": 60_000, "answer_within_ms": 20_000}
SHORT = "wait=0.05"


class Front:
    """One front that listens, and callers in threads of their own."""

    def __init__(self, memory: MemoryRedis, **settings: Any) -> None:
        self._memory = memory
        settings = {**PATIENT, "captain_email": "captain@example.org", "salt": "pepper", **settings}
        self.app = create_app(WebSettings(**settings), connect=self._connect)
        self.channel = self.app.extensions["listener"].channel
        self._callers = ThreadPoolExecutor()
        self._ears = threading.Thread(target=self._listen)
        self._ears.start()
        until(lambda: memory.client.pubsub_numsub(self.channel)[0][1] == 1)
        self.look()

    def _connect(self, _: QueueSettings, __: int, on_moved: Callable[[], None], ___: Any) -> Redis:
        self._stop_listening = on_moved
        return self._memory.connect()

    def _listen(self) -> None:
        """Once: the listener's own thread would do so for ever."""
        with suppress(RedisError):
            self.app.extensions["listener"]._listen()

    def close(self) -> None:
        self._callers.shutdown()
        self._stop_listening()
        self._ears.join()

    def look(self) -> None:
        """At Redis, as a thread does five times a second."""
        self.app.extensions["latest"].look()

    def get(self, path: str) -> TestResponse:
        return self.app.test_client().get(path)

    def post(self, body: Any, **headers: str) -> TestResponse:
        """A dict is sent as JSON, bytes as they are; the reply is there when this returns."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().post("/inference", data=data, headers=named, buffered=True)

    def call(self, body: Any, **headers: str) -> Future[TestResponse]:
        """The same, from a caller who waits while the test goes on."""
        return self._callers.submit(self.post, body, **headers)


class World:
    """Fronts, and one worker that is ready: it does what the test says."""

    def __init__(self, memory: MemoryRedis, stack: ExitStack) -> None:
        self.memory, self._stack = memory, stack
        settings = WebSettings(**PATIENT)
        self._line = Line(RESULT.bundle, memory.client, settings)
        self.work_at(100)
        self.front = self.another_front()

    def another_front(self, **settings: Any) -> Front:
        front = Front(self.memory, **settings)
        self._stack.callback(front.close)
        return front

    def work_at(self, images_per_s: float) -> None:
        self._line.beat("host:1", Rate(images_per_s, 1e9), takes_default=True)
        self._line.probed()

    def leave(self) -> None:
        self._line.leave("host:1")

    def take(self) -> Turn:
        """Wait for a message, and ask for permission."""
        _, text = self.memory.client.brpop([keys.of(RESULT.bundle, keys.INFERENCE)], timeout=10)
        message = json.loads(text)
        self.uuid, self.ticket = message["headers"]["id"], json.loads(message["body"])[1]["ticket"]
        return self._line.start(self.uuid, self.ticket, 0, 0)

    def finish(self, result: Result = RESULT) -> None:
        self._line.finish(self.uuid, self.ticket, result)

    def die(self, *, for_good: bool = False) -> None:
        self._line.abandon(self.uuid, self.ticket, for_good=for_good)

    def answer(self, call: Future[TestResponse], result: Result = RESULT) -> TestResponse:
        """What a caller gets when the worker does its part."""
        self.take()
        self.finish(result)
        return call.result(timeout=10)

    def executions(self) -> int:
        return int(self.memory.client.hget(keys.of(RESULT.bundle, keys.COUNTS), "executions") or 0)

    def fronts(self) -> set[str]:
        """That wait for the image which the worker has."""
        entry = self.memory.client.get(keys.request(ALGORITHM, self.uuid))
        return set(self.memory.client.hget(entry, "fronts").decode().split())


@pytest.fixture
def world(memory: MemoryRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # So soon a listener that was told to stop does.
    monkeypatch.setattr(listener, "_POLL_S", 0.01)
    with ExitStack() as stack:
        yield World(memory, stack)


def body(uuid: str = "a-uuid", image: bytes = IMAGE, **fields: Any) -> dict[str, Any]:
    encoded = base64.b64encode(image).decode()
    return {"esun_uuid": uuid, "esun_timestamp": 1, "image": encoded, "retry": 2, **fields}


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.001)


def kind(reply: TestResponse) -> tuple[int, str]:
    """Status and type of a problem, which is a whole document."""
    assert reply.content_type == "application/problem+json"
    assert reply.json["status"] == reply.status_code
    assert reply.json["title"]
    assert reply.json["detail"]
    return reply.status_code, reply.json["type"].removeprefix("urn:punctual:problem:")


def source(reply: TestResponse) -> str:
    assert reply.status_code == 200, reply.text
    return reply.headers["Punctual-Source"]


def test_an_image_goes_to_a_worker_and_its_answer_to_the_caller(world: World) -> None:
    call = world.front.call(body("a uuid"))
    turn = world.take()
    assert (turn.permission, turn.image) == (Permission.RUN, IMAGE)
    world.finish()
    reply = call.result(timeout=10)

    assert reply.status_code == 200
    assert reply.json == {
        "esun_uuid": "a uuid",
        "server_uuid": proof(RESULT.finished_s, "captain@example.org", "pepper"),
        "server_timestamp": RESULT.finished_s,
        "answer": "德",
    }
    assert "德".encode() in reply.data
    assert dict(reply.headers) == {
        "Content-Type": "application/json",
        "Content-Length": str(len(reply.data)),
        "Server-Timing": "queue;dur=7, compute;dur=9.1",
        "Punctual-Source": "computed",
        "Punctual-Bundle": "handwriting/1",
        "Punctual-Members": "5/5",
        "Punctual-Uuid": "a%20uuid",
    }


@pytest.mark.parametrize(
    ("members", "whole", "told"), [(2, True, "2/5;settled"), (2, False, "2/5"), (5, True, "5/5")]
)
def test_how_many_members_answered_is_told(
    world: World, members: int, whole: bool, told: str
) -> None:
    result = dataclasses.replace(RESULT, members=members, whole=whole)
    assert world.answer(world.front.call(body()), result).headers["Punctual-Members"] == told


def test_a_resend_gets_the_kept_answer_at_once(world: World) -> None:
    first = world.answer(world.front.call(body()))
    again = world.another_front().post(body(retry=1))
    assert source(again) == "kept"
    assert again.data == first.data
    assert again.headers["Server-Timing"] == "queue;dur=0, compute;dur=0"
    assert world.executions() == 1


@pytest.mark.parametrize(("cache", "executions"), [(True, 1), (False, 2)])
def test_the_same_image_under_another_uuid_is_read_once_if_that_is_wanted(
    world: World, cache: bool, executions: int
) -> None:
    front = world.another_front(prediction_cache=cache)
    world.answer(front.call(body("one")))
    other = front.call(body("other"))
    reply = other.result(timeout=10) if cache else world.answer(other)
    assert reply.json["esun_uuid"] == "other"
    assert source(reply) == ("kept" if cache else "computed")
    assert world.executions() == executions


def test_copies_at_two_fronts_share_one_execution(world: World) -> None:
    other = world.another_front()
    first = world.front.call(body())
    world.take()
    second = other.call(body(retry=1))
    until(lambda: world.fronts() == {world.front.channel, other.channel})
    world.finish()
    replies = [call.result(timeout=10) for call in (first, second)]
    assert [source(reply) for reply in replies] == ["computed", "joined"]
    assert replies[0].data == replies[1].data
    assert world.executions() == 1


def test_when_a_worker_dies_another_one_answers_who_waits(world: World) -> None:
    call = world.front.call(body())
    world.take()
    world.die()
    assert source(world.answer(call)) == "computed"
    assert world.executions() == 2


def test_a_late_answer_is_kept_for_the_resend(world: World) -> None:
    late = world.front.post(body(), Prefer=SHORT)
    assert kind(late) == (504, "answer-late")
    assert late.headers["Retry-After"] == "1"
    assert late.headers["Preference-Applied"] == SHORT
    assert late.headers["Punctual-Uuid"] == late.json["esun_uuid"] == "a-uuid"
    world.take()
    world.finish()
    assert source(world.front.post(body())) == "kept"


def test_without_a_preference_the_setting_counts(world: World) -> None:
    late = world.another_front(answer_within_ms=50).post(body())
    assert kind(late) == (504, "answer-late")
    assert "Preference-Applied" not in late.headers


def test_another_image_under_a_uuid_is_a_conflict(world: World) -> None:
    world.answer(world.front.call(body()))
    reply = world.front.post(body(image=ANOTHER))
    assert kind(reply) == (422, "uuid-conflict")
    assert reply.json["esun_uuid"] == "a-uuid"


def test_what_cannot_be_read_is_told_once_and_for_all(world: World) -> None:
    first = world.answer(world.front.call(body()), UNREADABLE)
    for reply in (first, world.front.post(body())):
        assert kind(reply) == (422, "image-unreadable")
        assert reply.json["detail"] == "no image"
    assert world.executions() == 1


def test_a_failure_of_the_engine_is_tried_again(world: World) -> None:
    assert kind(world.answer(world.front.call(body()), FAILED)) == (500, "engine-failed")
    assert source(world.answer(world.front.call(body()))) == "computed"


def test_an_image_that_was_too_much_for_a_worker_is_given_up(world: World) -> None:
    call = world.front.call(body())
    world.take()
    world.die(for_good=True)
    assert kind(call.result(timeout=10)) == (500, "engine-failed")
    assert kind(world.front.post(body())) == (500, "engine-failed")
    assert world.executions() == 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", (400, "not-json")),
        (b'{"esun_uuid": "a-uuid"', (400, "not-json")),
        (["a-uuid"], (422, "field-invalid")),
        ({"esun_uuid": "a-uuid", "esun_timestamp": 1}, (422, "field-invalid")),
        (body(image=b""), (422, "field-invalid")),
        (body() | {"image": 7}, (422, "field-invalid")),
        (body() | {"image": "data:image/png;base64,AAAA"}, (422, "field-invalid")),
        (body(uuid=""), (422, "field-invalid")),
        (body(image=bytes(1_001)), (413, "too-large")),
    ],
)
def test_what_is_wrong_with_a_request_is_told_and_nothing_is_begun(
    world: World, sent: Any, expected: tuple[int, str]
) -> None:
    front = world.another_front(max_image_bytes=1_000)
    before = set(world.memory.client.keys())
    reply = front.post(sent)
    assert kind(reply) == expected
    named = isinstance(sent, dict) and sent["esun_uuid"] == "a-uuid"
    assert (reply.json.get("esun_uuid") == "a-uuid") is named
    assert (reply.headers.get("Punctual-Uuid") == "a-uuid") is named
    assert set(world.memory.client.keys()) == before


def test_a_compressed_body_is_not_read(world: World) -> None:
    assert kind(world.front.post(body(), Content_Encoding="gzip")) == (415, "encoding-unknown")


def test_other_paths_and_methods_are_problems_too(world: World) -> None:
    assert kind(world.front.get("/nowhere")) == (404, "not-found")
    reply = world.front.get("/inference")
    assert kind(reply) == (405, "method-not-allowed")
    assert "POST" in reply.headers["Allow"]


def test_without_a_ready_worker_nothing_is_begun(world: World) -> None:
    world.leave()
    world.front.look()
    for reply in (world.front.post(body()), world.front.get("/readyz")):
        assert kind(reply) == (503, "no-worker-ready")
        assert reply.headers["Retry-After"] == "1"
    assert world.memory.client.keys(f"{keys.ENTRY_PREFIX}*") == []
    assert world.front.get("/livez").json == {"status": "alive"}


def test_in_a_full_line_callers_are_told_when_to_come_again(world: World) -> None:
    """Given two that wait for a worker which reads one in two seconds."""
    world.work_at(0.5)
    world.front.look()
    for uuid in ("first", "second"):
        assert kind(world.front.post(body(uuid, uuid.encode()), Prefer=SHORT))[0] == 504
    reply = world.front.post(body(), Prefer="wait=1")
    assert kind(reply) == (503, "line-full")
    assert reply.headers["Retry-After"] == "4"
    known = world.front.post(body("first", b"first"), Prefer=SHORT)
    assert kind(known) == (504, "answer-late")


def test_a_redis_that_goes_away_is_noticed(world: World) -> None:
    """By the request that meets it; and once the front has looked, by all without asking."""
    world.memory.go_away()
    assert kind(world.front.post(body())) == (503, "queue-away")
    world.front.look()
    for reply in (world.front.post(body()), world.front.get("/readyz")):
        assert kind(reply) == (503, "queue-away")
        assert reply.headers["Retry-After"] == "1"
    assert "punctual_redis_up 0.0" in world.front.get("/metrics").text
    assert world.front.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ReadOnlyError("You can't write against a read only replica.", "READONLY"), "read-only"),
        (OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'."), "full"),
    ],
)
def test_from_a_redis_that_takes_nothing_new_what_is_kept_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch, error: RedisError, expected: str
) -> None:
    world.answer(world.front.call(body()))
    for writing in ("evalsha", "delete"):
        monkeypatch.setattr(Redis, writing, Mock(side_effect=error))
    world.front.look()
    assert source(world.front.post(body())) == "kept"
    for reply in (world.front.post(body("new", ANOTHER)), world.front.get("/readyz")):
        assert kind(reply) == (503, f"queue-{expected}")


def test_who_is_ready_and_what_was_answered_is_told(world: World) -> None:
    world.answer(world.front.call(body()))
    world.front.post(body())
    world.front.post(b"")
    world.front.look()
    assert world.front.get("/readyz").json == {"status": "ready", "workers": 1, "queue_length": 0}
    lines = world.front.get("/metrics").text.splitlines()
    for labels in (
        'source="computed",status="200",type=""',
        'source="kept",status="200",type=""',
        'source="none",status="400",type="not-json"',
    ):
        assert f'punctual_responses_total{{algorithm="{ALGORITHM}",{labels}}} 1.0' in lines
    of_line = f'algorithm="{ALGORITHM}",bundle="{RESULT.bundle}"'
    assert f"punctual_executions_total{{{of_line}}} 1.0" in lines
    assert "punctual_waiting 0.0" in lines


def test_what_is_served_is_told_under_its_name(world: World) -> None:
    told = world.front.get("/algorithms").json
    assert told["default"] == ALGORITHM
    (card,) = told["algorithms"]
    assert card["name"] == card["title"] == ALGORITHM
    assert (card["state"], card["bundle"]) == ("ready", RESULT.bundle)
    assert world.front.get(f"/algorithms/{ALGORITHM}").json == card
    assert kind(world.front.get("/algorithms/nowhere")) == (404, "algorithm-unknown")
    world.leave()
    world.front.look()
    assert world.front.get(f"/algorithms/{ALGORITHM}").json["state"] == "absent"
