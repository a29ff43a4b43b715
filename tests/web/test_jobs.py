"""Jobs over HTTP: a front in this process, and the workers' side in a test's hand."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.memory_redis import MemoryRedis
from web.app import create_app
from web.settings import WebSettings
from workers.contract.contents import Contents, Found
from workers.contract.files import Files
from workers.contract.items import Items
from workers.contract.jobs import Jobs
from workers.contract.keys import INFERENCE, of
from workers.contract.lanes import LANES, Lane
from workers.contract.line import Line, Rate
from workers.contract.message import PROBE_TASK
from workers.contract.sketches import Sketches

ALGORITHM = "handwriting"
IMAGE = {"image": base64.b64encode(b"picture").decode(), "id": "mine"}
BODY = {"input": IMAGE}


class World:
    def __init__(self, memory: MemoryRedis, folder: Path) -> None:
        self.now_ms = 1_700_000_000_000
        settings = WebSettings(jobs=str(folder), lease_ms=60_000, jobs_max_bytes=7_000_000)
        app = create_app(settings, connect=memory.connect, clock=lambda: self.now_ms)
        Line(f"{ALGORITHM}/1", memory.client, settings).beat("w:1", Rate(1, 1), takes_default=True)
        app.extensions["latest"].look()
        self._client = app.test_client()
        self.folder, self.redis, self.sketches = folder, memory.client, Sketches(memory.client)
        files = Files(folder)
        self.jobs = Jobs(files, 60_000, 1_000_000, lambda: self.now_ms)
        self.contents = Contents(files, 1_000, 3, lambda: self.now_ms)
        self.items = Items(files, 1_000, 3, lambda: self.now_ms)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.open(path, method=method, data=data, headers=named)

    def state(self, name: str = "j") -> Any:
        return self.call("GET", f"/jobs/{name}").json["state"]

    def forget(self) -> None:
        """As a feeder does now and then."""
        self.jobs.forget()

    def unpack(self, *names: str) -> None:
        job = self.jobs.find("j")
        assert job is not None
        self.contents.begin(job, "t")
        self.contents.add(job, 0, [Found(0, name, name, b"picture") for name in names], 0)
        self.contents.end(job, len(names))

    def finish(self, result: dict[str, Any]) -> None:
        job = self.jobs.find("j")
        assert job is not None
        item = self.items.claim(job, "t")
        assert item is not None
        self.items.finish(item, result)


@pytest.fixture
def world(memory: MemoryRedis, tmp_path: Path) -> Iterator[World]:
    return World(memory, tmp_path / "jobs")


def problem(reply: TestResponse) -> tuple[int, str]:
    assert reply.content_type == "application/problem+json"
    return reply.status_code, reply.json["type"].removeprefix("urn:punctual:problem:")


def test_a_job_from_its_order_to_its_result(world: World) -> None:
    ordered = world.call("PUT", "/jobs/j", BODY)
    assert (ordered.status_code, ordered.headers["Location"]) == (202, "/jobs/j")
    assert int(ordered.headers["Retry-After"]) >= 1
    assert ordered.json["state"] == "queued"
    assert ordered.json["algorithm"] == ALGORITHM

    world.unpack("一.png", "2.png")
    world.finish({"answer": "德"})
    polled = world.call("GET", "/jobs/j").json
    assert (polled["state"], polled["progress"]) == ("running", 0.5)
    assert [json.loads(line) for line in world.call("GET", "/jobs/j/result").text.splitlines()] == [
        {"item": 0, "id": "一.png", "input": 0, "answer": "德"}
    ]

    world.finish({"error": {"status": 422}})
    ended = world.call("GET", "/jobs/j")
    assert ended.json["state"] == "succeeded"
    assert ended.json["counts"] == {"total": 2, "succeeded": 1, "failed": 1, "left_out": 0}
    assert "Retry-After" not in ended.headers
    result = world.call("GET", "/jobs/j/result")
    assert result.content_type == "application/x-ndjson"
    assert len(result.text.splitlines()) == 2


def test_one_item_is_told_as_its_caller_wants_it(world: World) -> None:
    world.call("PUT", "/jobs/j", BODY)
    world.unpack("1.png", "2.png", "3.png")
    world.finish({"answer": "德"})
    world.finish({"error": {"status": 422, "detail": "no image"}})
    told = world.call("GET", "/jobs/j/items/0")
    assert told.json == {"item": 0, "id": "1.png", "input": 0, "answer": "德"}
    assert told.headers["Vary"] == "Accept"
    assert world.call("GET", "/jobs/j/items/0", Accept="text/plain").text == "德\n"
    # Of a single character there is no picture.
    assert world.call("GET", "/jobs/j/items/0", Accept="image/png").json == told.json
    assert world.call("GET", "/jobs/j/items/1").json["error"]["detail"] == "no image"
    unreadable = world.call("GET", "/jobs/j/items/1", Accept="text/plain")
    assert problem(unreadable) == (422, "image-unreadable")
    for number in (2, 3):
        assert problem(world.call("GET", f"/jobs/j/items/{number}")) == (404, "item-unknown")


@pytest.mark.parametrize("keeps", [False, True])
def test_a_picture_with_boxes_is_drawn_while_its_image_is_there(world: World, keeps: bool) -> None:
    world.call("PUT", "/jobs/j", {**BODY, "keep_images": keeps})
    world.unpack("1.png")
    world.finish({"answer": "德", "pages": [{"page": 1}]})
    assert world.state() == "succeeded"
    drawn: list[Any] = []

    def draw() -> None:
        message: Any = {"headers": {"task": PROBE_TASK}}
        while message["headers"]["task"] == PROBE_TASK:
            _, text = world.redis.brpop([of(f"{ALGORITHM}/1", INFERENCE)], timeout=20)
            message = json.loads(text)
        ticket = json.loads(message["body"])[1]["ticket"]
        drawn.append(world.sketches.take(ticket))
        world.sketches.hand_over(ticket, b"a PNG")

    if not keeps:
        gone = world.call("GET", "/jobs/j/items/0", Accept="image/png")
        assert problem(gone) == (404, "image-gone")
        return
    beyond = world.call("GET", "/jobs/j/items/0?page=2", Accept="image/png")
    assert problem(beyond) == (422, "field-invalid")
    worker = threading.Thread(target=draw)
    worker.start()
    reply = world.call("GET", "/jobs/j/items/0", Accept="image/png")
    worker.join()
    assert (reply.data, reply.content_type) == (b"a PNG", "image/png")
    assert drawn == [(b"picture", 0, {"page": 1})]
    world.now_ms += 604_800_000
    world.forget()
    assert problem(world.call("GET", "/jobs/j/items/0")) == (404, "job-unknown")
    assert not list(world.folder.glob("files/*"))


def test_a_re_send_is_the_same_job_and_another_body_is_refused(world: World) -> None:
    world.call("PUT", "/jobs/j", BODY)
    spaced = json.dumps({"algorithm": ALGORITHM, "input": [IMAGE]}, indent=1).encode()
    assert world.call("PUT", "/jobs/j", spaced).status_code == 202
    assert problem(world.call("PUT", "/jobs/j", {"input": IMAGE | {"id": "other"}})) == (
        *(422, "job-conflict"),
    )
    assert len(world.call("GET", "/jobs").json["jobs"]) == 1


def test_one_idempotency_key_is_one_job(world: World) -> None:
    locations = [
        world.call("POST", "/jobs", BODY, **headers).headers["Location"]
        for headers in ({"Idempotency_Key": "k"}, {"Idempotency_Key": "k"}, {}, {})
    ]
    assert locations[0] == locations[1]
    assert len(set(locations)) == 3
    other = world.call("POST", "/jobs", {"input": {"csv": ""}}, Idempotency_Key="k")
    assert problem(other) == (422, "job-conflict")


def test_a_cancelled_job_ends(world: World) -> None:
    world.call("PUT", "/jobs/j", BODY)
    assert world.call("DELETE", "/jobs/j").status_code == 202
    assert world.state() == "cancelling"
    world.now_ms += 1_000
    assert world.state() == "cancelled"
    assert world.call("DELETE", "/jobs/j").json["state"] == "cancelled"


def test_the_list_has_pages(world: World) -> None:
    for name in "abc":
        world.call("PUT", f"/jobs/{name}", BODY)
    first = world.call("GET", "/jobs?limit=2").json
    rest = world.call("GET", f"/jobs?limit=2&cursor={first['next']}").json
    assert [[job["id"] for job in page["jobs"]] for page in (first, rest)] == [["c", "b"], ["a"]]
    assert rest["next"] is None
    assert problem(world.call("GET", "/jobs?cursor=x")) == (422, "field-invalid")


@pytest.mark.parametrize("path", ["/jobs/none", "/jobs/none/result"])
def test_of_a_job_that_is_none_nothing_is_told(world: World, path: str) -> None:
    assert problem(world.call("GET", path)) == (404, "job-unknown")
    assert problem(world.call("DELETE", "/jobs/none")) == (404, "job-unknown")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "input"),
        ([], "algorithm"),
        ({"input": {}}, "input.0: Value error, must have one of"),
        ({"input": []}, "input"),
        ({"input": IMAGE | {"zip": ""}}, "input.0"),
        ({"input": {"image": 1}}, "input.0.image"),
        ({"input": {"image": "?"}}, "input.0.image: not base64"),
        ({"input": IMAGE, "priority": 1}, "priority"),
        ({"input": IMAGE, "lane": "fast"}, "lane"),
        ({"input": IMAGE, "algorithm": "none"}, "algorithm: Nothing is called 'none'"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_begun(world: World, body: Any, field: str) -> None:
    reply = world.call("PUT", "/jobs/j", body)
    assert problem(reply) == (422, "field-invalid")
    assert field in reply.json["detail"]
    assert world.call("GET", "/jobs").json["jobs"] == []


def test_an_id_is_one_that_can_stand_in_a_url(world: World) -> None:
    assert problem(world.call("PUT", "/jobs/a%20b", BODY)) == (422, "field-invalid")
    assert problem(world.call("PUT", f"/jobs/{'a' * 129}", BODY)) == (422, "field-invalid")
    assert problem(world.call("PUT", "/jobs/j", b"no json")) == (400, "not-json")


def test_limits_are_those_of_the_lane_and_of_all_jobs(world: World) -> None:
    limit = LANES[Lane.BATCH].inline_bytes
    over = {"input": {"zip": base64.b64encode(bytes(limit + 1)).decode()}}
    reply = world.call("PUT", "/jobs/j", over)
    assert problem(reply) == (413, "too-large")
    assert f"{limit:,}" in reply.json["detail"]
    fits = {"input": {"zip": base64.b64encode(bytes(limit)).decode()}}
    assert world.call("PUT", "/jobs/first", fits).status_code == 202
    assert problem(world.call("PUT", "/jobs/second", fits)) == (503, "jobs-full")


def test_a_folder_that_cannot_be_read_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Jobs, "find", fails)
    assert problem(world.call("GET", "/jobs/j")) == (503, "jobs-away")


def test_who_rather_comes_back_gets_a_job(world: World) -> None:
    body = {"esun_uuid": "a b/一", "esun_timestamp": 1, "image": IMAGE["image"]}
    replies = [
        world.call("POST", path, body, Prefer="respond-async")
        for path in ("/inference", f"/inference/{ALGORITHM}")
    ]
    assert [reply.status_code for reply in replies] == [202, 202]
    location = replies[0].headers["Location"]
    assert replies[1].headers["Location"] == location
    assert replies[0].headers["Preference-Applied"] == "respond-async"
    assert replies[0].json["lane"] == "asynchronous"
    job = world.jobs.find(replies[0].json["id"])
    assert job is not None
    assert job.inputs[0].id == "a b/一"
    other = body | {"image": base64.b64encode(b"other").decode()}
    refused = world.call("POST", "/inference", other, Prefer="respond-async")
    assert problem(refused) == (422, "job-conflict")
