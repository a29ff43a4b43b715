"""The caller against a real server that answers, refuses, stays silent, breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bench.caller import CLOSED, Call, Caller, Patience, Record
from deploy.ports import free_port
from tests.bench.scripted import ANSWERED, BROKEN, SILENT, Behaviour, Script, ScriptedServer

IMAGE = b"aW1hZ2U="
SHORT = Patience(limit_ms=150)
LONG = Patience(limit_ms=20_000)


def call(uuid: str = "a", due_s: float = 0.0) -> Call:
    return Call(uuid, IMAGE, "德", due_s)


def send(
    url: str, patience: Patience, calls: Iterable[Call] = (call(),)
) -> tuple[list[Record], Caller]:
    """All records in the order in which they were complete."""
    records: list[Record] = []

    async def main() -> Caller:
        caller = Caller(url, patience)
        await caller.run(calls, records.append)
        return caller

    caller = asyncio.run(main())
    return records, caller


def test_an_answer_is_recorded_with_what_the_headers_say() -> None:
    headers = {
        "Punctual_Members": "3/5",
        "Punctual_Source": "computed",
        "Server_Timing": "queue;dur=2, compute;dur=1.9",
    }
    with ScriptedServer(lambda _body, _copy: Script(**headers)) as server:
        (record,), _ = send(server.url, LONG)
    assert record.answer == "德"
    assert record.members == (3, 5)
    assert not record.full
    assert record.source == "computed"
    assert record.compute_ms == 1.9
    assert [copy.status for copy in record.copies] == [200]
    assert record.took_ms == record.copies[0].took_ms > 0


def test_fewer_members_are_full_when_the_server_says_that_they_will_do() -> None:
    with ScriptedServer(lambda _body, _copy: Script(Punctual_Members="2/5;settled")) as server:
        (record,), _ = send(server.url, LONG)
    assert record.members == (2, 5)
    assert record.full


def test_a_call_carries_the_key_of_its_account() -> None:
    calls = [replace(call("a"), key="punctual_1_secret"), call("b", 0.1)]
    with ScriptedServer(lambda _body, _copy: Script()) as server:
        send(server.url, LONG, calls)
    assert [headers.get("X-API-Key") for headers in server.headers] == ["punctual_1_secret", None]


def test_the_request_is_the_contests() -> None:
    with ScriptedServer(lambda _body, _copy: Script()) as server:
        send(server.url, Patience(limit_ms=10_000, prefer=True))
        send(server.url, LONG)
    first = server.bodies[0]
    assert {name: first[name] for name in ("esun_uuid", "image", "retry")} == {
        "esun_uuid": "a",
        "image": IMAGE.decode(),
        "retry": 2,
    }
    assert isinstance(first["esun_timestamp"], int)
    assert server.headers[0]["Prefer"] == "wait=10"
    assert "Prefer" not in server.headers[1]


def test_a_silent_server_gets_the_same_uuid_again_and_may_answer_then() -> None:
    with ScriptedServer(lambda _body, copy: SILENT if copy < 3 else Script()) as server:
        (record,), _ = send(server.url, SHORT)
    assert record.answer == "德"
    assert [copy.status for copy in record.copies] == [0, 0, 200]
    # From when the first copy was due.
    assert record.took_ms >= 2 * SHORT.limit_ms
    assert [(body["esun_uuid"], body["retry"]) for body in server.bodies] == [
        ("a", 2),
        ("a", 1),
        ("a", 0),
    ]


def test_after_two_resends_nobody_asks_any_more() -> None:
    with ScriptedServer(lambda _body, _copy: SILENT) as server:
        (record,), caller = send(server.url, SHORT)
    assert record.answer is None
    assert [copy.status for copy in record.copies] == [0, 0, 0]
    assert caller.sends == 3


def test_a_refusal_is_the_end_of_a_uuid() -> None:
    with ScriptedServer(lambda _body, _copy: Script(503, {}, Retry_After="1")) as server:
        (record,), _ = send(server.url, LONG)
    assert record.answer is None
    assert [copy.status for copy in record.copies] == [503]


def test_who_heeds_comes_again_when_it_is_told_to() -> None:
    def behaviour(_body: dict[str, Any], copy: int) -> Script:
        return Script(503, {}, Retry_After="0.2") if copy == 1 else Script()

    with ScriptedServer(behaviour) as server:
        patience = Patience(limit_ms=20_000, insists=True, heeds=True)
        (record,), _ = send(server.url, patience)
    assert [copy.status for copy in record.copies] == [503, 200]
    assert 200 <= record.took_ms < patience.limit_ms


def test_a_broken_connection_is_no_reply_and_the_next_copy_leaves_at_the_limit() -> None:
    with ScriptedServer(lambda _body, copy: BROKEN if copy == 1 else Script()) as server:
        (record,), _ = send(server.url, SHORT)
    assert [copy.status for copy in record.copies] == [CLOSED, 200]
    assert record.took_ms >= SHORT.limit_ms


def test_where_nobody_listens_every_copy_is_turned_away() -> None:
    (record,), _ = send(f"http://127.0.0.1:{free_port()}", SHORT)
    assert [copy.status for copy in record.copies] == [CLOSED] * 3


@pytest.mark.parametrize(
    "fields",
    [
        ANSWERED | {"answer": ""},
        ANSWERED | {"server_uuid": ""},
        ANSWERED | {"server_timestamp": None},
        ANSWERED | {"esun_uuid": "another"},
        {"answer": "德"},
        ["德"],
    ],
)
def test_a_200_with_a_missing_or_empty_field_is_no_answer(fields: object) -> None:
    with ScriptedServer(lambda _body, _copy: Script(200, fields)) as server:
        (record,), _ = send(server.url, LONG)
    assert record.answer is None
    assert [copy.status for copy in record.copies] == [200]


def test_time_counts_from_when_a_call_was_due() -> None:
    """One that was due before the caller came to it."""
    with ScriptedServer(lambda _body, _copy: Script()) as server:
        (record,), _ = send(server.url, LONG, [call(due_s=-5)])
    assert record.copies[0].lag_ms >= 4_900
    assert record.took_ms >= record.copies[0].lag_ms


def test_a_reply_behind_the_limit_is_none() -> None:
    with ScriptedServer(lambda _body, _copy: Script()) as server:
        (record,), _ = send(server.url, Patience(limit_ms=100, resends=1), [call(due_s=-10)])
    assert record.answer is None
    assert [copy.status for copy in record.copies] == [0, 0]


def test_arrivals_do_not_wait_for_answers() -> None:
    """The first is answered only when the second has arrived."""
    seen: list[str] = []

    def behaviour(body: dict[str, str], _copy: int) -> Script:
        seen.append(body["esun_uuid"])
        return SILENT if len(seen) == 1 else Script()

    with ScriptedServer(behaviour) as server:
        records, _ = send(
            server.url, Patience(limit_ms=2_000, resends=0), [call("a"), call("b", 0.02)]
        )
    assert [(record.call.uuid, record.answer) for record in records] == [("b", "德"), ("a", None)]


@pytest.mark.parametrize(("fresh", "connections"), [(False, 1), (True, 5)])
def test_connections_are_used_again_if_the_caller_likes(fresh: bool, connections: int) -> None:
    async def main(url: str) -> None:
        caller = Caller(url, Patience(limit_ms=20_000, fresh=fresh))
        for number in range(5):
            assert (await caller.ask(call(str(number)))).answer == "德"
        caller.close()

    with ScriptedServer(lambda _body, _copy: Script()) as server:
        asyncio.run(main(server.url))
    assert len(server.ports) == connections


def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    with ScriptedServer(lambda _body, _copy: Script(Connection="close")) as server:
        records, _ = send(server.url, LONG, [call(str(number)) for number in range(3)])
    assert [record.answer for record in records] == ["德"] * 3
    assert len(server.ports) == 3


def test_many_at_once() -> None:
    behaviour: Behaviour = lambda _body, _copy: Script()  # noqa: E731
    with ScriptedServer(behaviour) as server:
        records, caller = send(server.url, LONG, [call(str(number)) for number in range(100)])
    assert sum(record.answer is not None for record in records) == 100
    assert caller.cost_us > 0
