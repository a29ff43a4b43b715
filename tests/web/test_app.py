"""A whole front in this process, Redis in its memory, and the worker's side in a test's hand."""

from __future__ import annotations

import base64
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
from web import listener, overview
from web.app import create_app
from web.settings import WebSettings
from workers.contract import keys
from workers.contract.card import Card
from workers.contract.line import Line, Permission, Rate, Turn
from workers.contract.message import READS, ReadRequest
from workers.contract.published import PublishedCards
from workers.contract.readiness import Readiness
from workers.contract.result import Alternative, Outcome, Result
from workers.contract.settings import QueueSettings

IMAGE, ANOTHER = b"some picture's bytes", b"another picture's bytes"
ALGORITHM = "handwriting"
RESULT = Result(Outcome.ANSWERED, "德", f"{ALGORITHM}/1", 5, 5, True, 7, 9_100, 1_700_000_000)
TOLD = RESULT._replace(confidence=0.98, alternatives=(Alternative("得", 0.01),))
UNREADABLE = RESULT._replace(outcome=Outcome.UNREADABLE, text="no image", members=0)
FAILED = RESULT._replace(outcome=Outcome.FAILED, text="the engine failed", members=0)

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
        while True:
            _, text = self.memory.client.brpop([keys.of(RESULT.bundle, keys.INFERENCE)], timeout=10)
            if READS.encode() in text:
                break
            # A slow machine idles for longer than a front lets it.
            self._line.probed()
        self.request = ReadRequest.parse(text)
        (turn,) = self._line.start([self.request], 0, 0)
        return turn

    def finish(self, result: Result = RESULT) -> None:
        self._line.finish([(self.request, result)])

    def die(self, *, for_good: bool = False) -> None:
        self._line.abandon(self.request.name, self.request.ticket, for_good=for_good)

    def answer(self, call: Future[TestResponse], result: Result = RESULT) -> TestResponse:
        """What a caller gets when the worker does its part."""
        self.take()
        self.finish(result)
        return call.result(timeout=10)

    def executions(self) -> int:
        return int(self.memory.client.hget(keys.of(RESULT.bundle, keys.COUNTS), "executions") or 0)

    def fronts(self) -> set[str]:
        """That wait for the image which the worker has."""
        entry = self.memory.client.get(keys.request(ALGORITHM, self.request.name))
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
    ("members", "whole", "stopped", "told"),
    [
        (2, True, "settled", "2/5;settled"),
        (2, False, "line", "2/5"),
        (1, False, "express", "1/5;express"),
        (5, True, "all", "5/5"),
    ],
)
def test_how_many_members_answered_is_told(
    world: World, members: int, whole: bool, stopped: str, told: str
) -> None:
    result = RESULT._replace(members=members, whole=whole, stopped=stopped)
    assert world.answer(world.front.call(body()), result).headers["Punctual-Members"] == told


def test_what_an_algorithm_tells_beside_its_text_stands_beside_the_contracts_fields(
    world: World,
) -> None:
    pages = [{"page": 1, "lines": [{"text": "一二"}]}]
    result = RESULT._replace(text="一二", output={"pages": pages, "answer": "never"})

    reply = world.answer(world.front.call(body()), result)
    text = world.front.post(body(), Accept="text/plain")

    assert reply.json is not None
    assert reply.json["pages"] == pages
    assert (reply.json["answer"], reply.json["esun_uuid"]) == ("一二", "a-uuid")
    assert (text.text, text.content_type) == ("一二\n", "text/plain; charset=utf-8")
    assert text.headers["Punctual-Source"] == "kept"


def test_who_reads_characters_gets_json_whatever_they_accept(world: World) -> None:
    reply = world.answer(world.front.call(body(), Accept="text/plain"))
    assert reply.json is not None
    assert reply.json["answer"] == "德"


def test_who_prefers_the_whole_representation_gets_what_else_it_could_be(world: World) -> None:
    """And nobody else; nor can it be told of what a worker of the last release has read."""
    plain = world.answer(world.front.call(body()), TOLD)
    whole = world.front.post(body(), Prefer="wait=1, return=representation")
    assert whole.headers["Preference-Applied"] == "wait=1, return=representation"
    assert whole.json == plain.json | {
        "confidence": 0.98,
        "alternatives": [{"text": "得", "confidence": 0.01}],
    }
    for other in ("return=minimal", "return", "return=minimal, return=representation"):
        again = world.front.post(body(), Prefer=other)
        assert again.data == plain.data
        assert "Preference-Applied" not in again.headers
    old = world.front.call(body("old", ANOTHER), Prefer="return=representation")
    assert world.answer(old, RESULT).json.keys() == plain.json.keys()
    problem = world.front.post(b"", Prefer="return=representation")
    assert "Preference-Applied" not in problem.headers


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


def test_what_is_refused_at_one_front_is_demand_at_each(world: World) -> None:
    world.work_at(0.1)
    other = world.another_front()
    world.front.look()
    for name in ("one", "two"):
        late = world.front.post(body(name, name.encode()), Prefer=SHORT)
        assert kind(late) == (504, "answer-late")
    other.look()
    assert kind(world.front.post(body(), Prefer=SHORT)) == (503, "line-full")
    time.sleep(0.002)
    world.front.look()
    other.look()
    of_line = f'{{algorithm="{ALGORITHM}",bundle="{RESULT.bundle}"}}'
    samples = dict(
        line.rsplit(" ", 1) for line in other.get("/metrics").text.splitlines() if line[0] != "#"
    )
    assert float(samples[f"punctual_work_seconds{of_line}"]) == 2 / 0.1
    # The refused one too, in a rate of the time between the looks.
    assert float(samples[f"punctual_work_process_seconds{of_line}"]) > 2 / 0.1


def test_a_redis_that_takes_nothing_new_hears_later_what_was_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.work_at(0.1)
    world.front.look()
    for name in ("one", "two"):
        world.front.post(body(name, name.encode()), Prefer=SHORT)
    world.front.post(body(), Prefer=SHORT)
    full = Mock(side_effect=OutOfMemoryError("OOM command not allowed"))
    with monkeypatch.context() as patch:
        patch.setattr(Readiness, "note_refused", full)
        world.front.look()
    assert full.called
    assert world.front.get("/readyz").status_code == 200
    world.front.look()
    counts = keys.of(RESULT.bundle, keys.COUNTS)
    assert int(world.memory.client.hget(counts, "refused")) == 1


def test_a_browser_gets_a_page_and_a_program_a_list_of_places(world: World) -> None:
    client = world.front.app.test_client()
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = client.get("/", headers={"Accept": browser})
    assert page.content_type == "text/html; charset=utf-8"
    assert b'<script type="module"' in page.data
    for accepted in ("*/*", "application/json", "text/html;q=0.5, application/json"):
        places = client.get("/", headers={"Accept": accepted})
        assert places.json["inference"] == "/inference"
        for path in places.json.values():
            assert world.front.get(path).status_code in {200, 405}
    for reply in (page, client.get("/operator")):
        assert "script-src 'self'" in reply.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
        assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert page.headers["Vary"] == places.headers["Vary"] == "Accept"


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", "console/../../app.py"])
def test_no_path_leads_out_of_the_pages(world: World, path: str) -> None:
    assert world.front.get(f"/pages/{path}").status_code == 404


def test_an_overview_is_told_to_operators(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many look, Redis is asked now and then; what the front itself knows is always new."""
    monkeypatch.setattr(overview, "_FRESH_MS", 60_000)
    front = world.front
    world.answer(front.call(body()))
    front.look()
    told = front.get("/overview").json
    assert (told["default"], told["problem"]) == (ALGORITHM, None)
    (version,) = told["versions"]
    assert (version["version"], version["state"]) == (RESULT.bundle, "active")
    assert (version["ready"], version["workers"], version["members"]) == (True, 1, {"5": 1})
    assert version["counts"]["executions"] == 1
    (reply,) = told["replies"]
    assert reply == {
        "algorithm": ALGORITHM,
        "status": "200",
        "source": "computed",
        "type": "",
        "count": 1,
    }
    world.memory.go_away()
    front.look()
    front.post(body())
    told = front.get("/overview").json
    assert (len(told["versions"]), len(told["replies"])) == (1, 2)
    monkeypatch.setattr(overview, "_FRESH_MS", 0)
    told = front.get("/overview").json
    assert (told["versions"], told["problem"]["type"]) == ([], "urn:punctual:problem:queue-away")


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


def test_a_registered_card_is_shown_before_and_after_its_workers_come(world: World) -> None:
    picture = b"\x89PNG\r\n\x1a\n"
    published = PublishedCards(world.memory.client)
    for name, title, content in (("forms", "讀表單", picture), (ALGORITHM, "手寫", b"")):
        card = json.dumps({"name": name, "title": title, "type": "image"})
        published.publish(Card.parse(card.encode()), content)
    told = {card["name"]: card for card in world.front.get("/algorithms").json["algorithms"]}
    assert (told["forms"]["title"], told["forms"]["state"]) == ("讀表單", "absent")
    assert (told[ALGORITHM]["title"], told[ALGORITHM]["state"]) == ("手寫", "ready")
    assert world.front.get("/algorithms/forms").json == told["forms"]

    shown = world.front.get("/algorithms/forms/image")
    assert (shown.data, shown.content_type) == (picture, "image/png")
    for without in (ALGORITHM, "nowhere"):
        assert kind(world.front.get(f"/algorithms/{without}/image")) == (404, "not-found")


def test_cards_cannot_be_shown_while_redis_is_away(world: World) -> None:
    world.memory.go_away()
    for path in ("/algorithms", "/algorithms/forms", "/algorithms/forms/image"):
        assert world.front.get(path).status_code == 503
