"""The function says what the service says, to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from deploy.serverless.function import Call, Function, Reply
from deploy.serverless.settings import ServerlessSettings
from tests.memory_redis import MemoryRedis
from tests.web.test_app import (
    FAILED,
    IMAGE,
    RESULT,
    SHORT,
    UNREADABLE,
    World,
    body,
)
from web import listener
from workers.contract.clock import wall_clock_ms
from workers.contract.result import Result

MAX_IMAGE_BYTES = 1_000


class Says:
    """In the place of a reader: a result, whatever the image."""

    def __init__(self, result: Result) -> None:
        self.bundle = RESULT.bundle
        self.result = result
        self.until_ms: list[int] = []

    def read(self, _: bytes, until_ms: int) -> Result:
        self.until_ms.append(until_ms)
        return self.result


def function(reader: Any, **settings: Any) -> Function:
    given = {"captain_email": "captain@example.org", "salt": "pepper", **settings}
    return Function(reader, None, ServerlessSettings(**given), wall_clock_ms)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(listener, "_POLL_S", 0.01)
        yield World(MemoryRedis(), stack)


def data(sent: Any) -> bytes:
    return sent if isinstance(sent, bytes) else json.dumps(sent).encode()


def headers(reply: Any) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name != "Content-Length"}


@pytest.mark.parametrize(
    "result",
    [
        RESULT,
        RESULT._replace(members=2),
        RESULT._replace(members=2, whole=False),
        UNREADABLE,
        FAILED,
    ],
)
@pytest.mark.parametrize("prefer", [[], ["wait=20"]])
def test_a_result_is_told_as_the_service_tells_it(
    world: World, result: Result, prefer: list[str]
) -> None:
    asked = body(
        f"{result.outcome} {result.members} {result.whole} 德 {prefer}",
        f"{result} {prefer}".encode(),
    )
    named = {"Prefer": prefer[0]} if prefer else {}
    theirs = world.answer(world.front.call(asked, **named), result)
    ours = function(Says(result)).reply(Call(data(asked), prefer=prefer), 60_000)
    assert (ours.status, ours.body, ours.headers) == (
        theirs.status_code,
        theirs.data,
        headers(theirs),
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"null",
        b"[[[[",
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"esun_uuid": "a-uuid"',
        ["a-uuid"],
        {"esun_uuid": "a-uuid", "esun_timestamp": 1},
        {"esun_uuid": "a-uuid\n", "esun_timestamp": 1, "image": "AAAA"},
        body("德", b""),
        body("a" * 129),
        body() | {"image": 7},
        body() | {"image": "data:image/png;base64,AAAA"},
        body(image=bytes(MAX_IMAGE_BYTES + 1)),
        body() | {"image": "A" * 400_000},
    ],
    ids=lambda sent: repr(sent)[:30],
)
@pytest.mark.parametrize("named", [{}, {"Prefer": SHORT}, {"Content-Encoding": "gzip"}])
def test_a_refusal_is_told_as_the_service_tells_it(
    strict_front: Any, sent: Any, named: dict[str, str]
) -> None:
    theirs = strict_front.post(
        sent, **{name.replace("-", "_"): value for name, value in named.items()}
    )
    call = Call(
        data(sent), encoding=named.get("Content-Encoding"), prefer=[named.get("Prefer", "")]
    )
    reader = Says(RESULT)
    ours = function(reader, max_image_bytes=MAX_IMAGE_BYTES).reply(call, 60_000)
    assert (ours.status, ours.body, ours.headers) == (
        theirs.status_code,
        theirs.data,
        headers(theirs),
    )
    assert theirs.status_code >= 400
    assert reader.until_ms == []


@pytest.fixture(scope="module")
def strict_front(world: World) -> Any:
    return world.another_front(max_image_bytes=MAX_IMAGE_BYTES)


def test_another_method_or_algorithm_is_told_as_the_service_tells_it(world: World) -> None:
    client = world.front.app.test_client()
    theirs = [client.get("/inference"), client.post("/inference/photos", data=b"")]
    reader = function(Says(RESULT))
    ours: list[Reply] = [
        reader.reply(Call(b"", "GET"), 60_000),
        reader.reply(Call(b"", algorithm="photos"), 60_000),
    ]
    for told, expected in zip(ours, theirs, strict=True):
        assert (told.status, told.body) == (expected.status_code, expected.data)
    assert ours[0].headers["Allow"] == "POST"


def test_what_breaks_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(Says):
        def read(self, _: bytes, __: int) -> Result:
            raise ZeroDivisionError

    reply = function(Breaks(RESULT)).reply(Call(data(body())), 60_000)
    assert reply.status == 500
    assert json.loads(reply.body)["type"] == "urn:punctual:problem:internal"
    assert json.loads(reply.body)["esun_uuid"] == "a-uuid"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("prefer", "left_ms", "expected_ms"),
    [([], 60_000, 900), (["wait=2"], 60_000, 2_000), (["wait=2"], 1_500, 1_500), ([], 300, 300)],
)
def test_the_sooner_of_caller_and_platform_is_the_clock(
    prefer: list[str], left_ms: int, expected_ms: int
) -> None:
    reader: Any = Says(RESULT)
    Function(reader, None, ServerlessSettings(), lambda: 1_000_000).reply(
        Call(data(body()), prefer=prefer), left_ms
    )
    assert reader.until_ms == [1_000_000 + expected_ms]


def test_without_a_redis_nothing_is_kept() -> None:
    reader = Says(RESULT)
    answers = [function(reader).reply(Call(data(body())), 60_000) for _ in range(2)]
    assert [each.headers["Punctual-Source"] for each in answers] == ["computed", "computed"]
    assert len(reader.until_ms) == 2
    other = function(reader).reply(Call(data(body(image=IMAGE + b"!"))), 60_000)
    assert other.status == 200
