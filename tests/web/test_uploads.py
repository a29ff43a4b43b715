"""Uploads over HTTP, and jobs that take them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.memory_redis import MemoryRedis
from tests.web.test_jobs import World, problem
from workers.contract import uploads as module
from workers.contract.lanes import LANES, Lane
from workers.contract.uploads import Uploads

CONTENT = os.urandom(25)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DAY_MS = 86_400_000


@pytest.fixture
def world(memory: MemoryRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "PART_BYTES", 10)
    return World(memory, tmp_path / "jobs")


def begin(world: World, size: int = len(CONTENT)) -> Any:
    reply = world.call("POST", "/uploads", {"bytes": size})
    assert reply.status_code == 201
    return reply.json


def send(world: World, ticket: Any, *numbers: int, content: bytes = CONTENT) -> None:
    for number in numbers:
        part = ticket["parts"][number]
        data = content[part["offset"] : part["offset"] + part["bytes"]]
        assert world.call("PUT", part["url"], data).status_code == 204


def complete(world: World, ticket: Any, sha256: str = SHA256) -> TestResponse:
    return world.call("POST", ticket["completion"], {"sha256": sha256})


def whole(world: World) -> Any:
    ticket = begin(world)
    send(world, ticket, 2, 0, 1)
    assert complete(world, ticket).json["complete"]
    return ticket


def test_parts_come_in_any_order_and_make_a_job(world: World) -> None:
    ticket = whole(world)
    assert [part["bytes"] for part in ticket["parts"]] == [10, 10, 5]
    body = {"input": {"upload": ticket["id"]}}
    assert world.call("PUT", "/jobs/j", body).status_code == 202
    job = world.jobs.find("j")
    assert job is not None
    folder = world.jobs._files.folder(job.folder)
    assert (folder / job.inputs[0].file).read_bytes() == CONTENT
    # The job has it now; who sends the job again need not.
    assert problem(world.call("GET", f"/uploads/{ticket['id']}")) == (404, "upload-unknown")
    assert [other.name for other in folder.parent.iterdir()] == [folder.name]
    assert world.call("PUT", "/jobs/j", body).status_code == 202
    assert problem(world.call("PUT", "/jobs/other", body)) == (404, "upload-unknown")


def test_an_interrupted_upload_goes_on(world: World) -> None:
    ticket = begin(world)
    send(world, ticket, 1)
    there = world.call("GET", f"/uploads/{ticket['id']}").json
    assert [part["arrived"] for part in there["parts"]] == [False, True, False]
    reply = complete(world, ticket)
    assert problem(reply) == (409, "upload-incomplete")
    assert "missing: 0, 2." in reply.json["detail"]
    send(world, ticket, 0, 2)
    assert complete(world, ticket).status_code == 200


def test_one_idempotency_key_is_one_upload(world: World) -> None:
    first, second, other = (
        world.call("POST", "/uploads", {"bytes": size}, Idempotency_Key="k")
        for size in (25, 25, 26)
    )
    assert first.json["id"] == second.json["id"]
    assert problem(other) == (422, "upload-conflict")
    world.now_ms += DAY_MS
    again = world.call("POST", "/uploads", {"bytes": 26}, Idempotency_Key="k")
    assert again.status_code == 201


def test_another_digest_is_refused_until_the_part_is_sent_again(world: World) -> None:
    ticket = begin(world)
    send(world, ticket, 0, 1, 2, content=b"x" + CONTENT[1:])
    assert problem(complete(world, ticket)) == (409, "upload-incomplete")
    body = {"input": {"upload": ticket["id"]}}
    assert problem(world.call("PUT", "/jobs/j", body)) == (409, "upload-incomplete")
    send(world, ticket, 0)
    assert complete(world, ticket).status_code == 200


def test_a_part_that_comes_again_when_all_is_there_changes_nothing(world: World) -> None:
    ticket = begin(world)
    send(world, ticket, 0, 1, 2)
    complete(world, ticket)
    send(world, ticket, 0, content=b"x" + CONTENT[1:])
    assert world.call("GET", f"/uploads/{ticket['id']}").json["complete"]
    assert complete(world, ticket).status_code == 200


@pytest.mark.parametrize("data", [b"", b"123456789", b"12345678901"])
def test_a_part_has_its_length(world: World, data: bytes) -> None:
    ticket = begin(world)
    reply = world.call("PUT", ticket["parts"][0]["url"], data)
    assert problem(reply)[0] in {400, 422}
    assert not world.call("GET", f"/uploads/{ticket['id']}").json["parts"][0]["arrived"]
    wrong = ticket["parts"][0]["url"].replace("parts/0", "parts/3")
    assert problem(world.call("PUT", wrong, b"1234567890")) == (422, "field-invalid")


def test_limits_are_told_at_the_ticket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 1_000_000)
    limit = LANES[Lane.ASYNCHRONOUS].upload_bytes
    over = {"bytes": (limit or 0) + 1, "lane": "asynchronous"}
    reply = world.call("POST", "/uploads", over)
    assert problem(reply) == (413, "too-large")
    # All jobs and uploads together have less, here.
    assert "7,000,000" in reply.json["detail"]
    begin(world, 6_000_000)
    assert problem(world.call("POST", "/uploads", {"bytes": 2_000_000})) == (503, "jobs-full")


@pytest.mark.parametrize("body", [{}, {"bytes": 0}, {"bytes": "1"}, {"bytes": 1, "name": "x"}, []])
def test_what_is_wrong_with_a_ticket_is_told(world: World, body: Any) -> None:
    assert problem(world.call("POST", "/uploads", body)) == (422, "field-invalid")


def test_what_nobody_takes_is_forgotten(world: World) -> None:
    ticket = whole(world)
    files = world.jobs._files
    world.now_ms += DAY_MS
    assert problem(world.call("GET", f"/uploads/{ticket['id']}")) == (404, "upload-unknown")
    Uploads(files, 0, lambda: world.now_ms).forget_expired()
    assert not any(files.folder("").iterdir())


def test_an_upload_may_be_given_up(world: World) -> None:
    ticket = whole(world)
    assert world.call("DELETE", f"/uploads/{ticket['id']}").status_code == 204
    assert problem(complete(world, ticket)) == (404, "upload-unknown")


def test_an_upload_is_named_once(world: World) -> None:
    upload = {"upload": whole(world)["id"]}
    reply = world.call("PUT", "/jobs/j", {"input": [upload, upload]})
    assert problem(reply) == (422, "field-invalid")
