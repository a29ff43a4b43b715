"""The message in the list is the one that Celery and kombu would write, and of one version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kombu.connection import Connection

from tests.redis_process import RedisProcess
from workers import tasks
from workers.celery import app, take_from
from workers.contract import keys
from workers.contract.keys import VERSION, of
from workers.contract.message import (
    PROBE_TASK,
    READ_TASK,
    READS,
    SLICE_TASK,
    ReadRequest,
    enqueue_probe,
    enqueue_sketch,
    read_message,
    slice_message,
)
from workers.contract.result import Outcome, Result
from workers.process import process

NAME = "bundle/1"
INFERENCE, LATE, PARTIAL, SLICES = (
    of(NAME, key) for key in (keys.INFERENCE, keys.LATE, keys.PARTIAL, keys.SLICES)
)
MESSAGE = of(NAME, read_message("a-uuid", "abc123"))


def messages(redis: RedisProcess) -> list[dict[str, Any]]:
    """All messages in the list, oldest first."""
    return [json.loads(text) for text in reversed(redis.client.lrange(INFERENCE, 0, -1))]


def test_the_envelope_is_the_one_that_kombu_writes(redis: RedisProcess) -> None:
    ours = json.loads(MESSAGE)
    body = json.loads(ours["body"])
    take_from(NAME, jobs=True)
    options = {"body_encoding": "utf-8", "priority_steps": [0]}
    with Connection(redis.url, transport_options=options) as connection:
        app.send_task(
            READ_TASK, task_id="a-uuid", kwargs=body[1], argsrepr="()",
            kwargsrepr=ours["headers"]["kwargsrepr"], ignore_result=True, connection=connection,
        )  # fmt: skip
    (theirs,) = messages(redis)

    for own in ("delivery_tag", "reply_to"):
        assert own in theirs["properties"]
        del ours["properties"][own]
    assert json.loads(theirs.pop("body")) == json.loads(ours.pop("body"))
    # kombu repeats some of the headers among the properties.
    assert theirs.pop("properties").items() >= ours.pop("properties").items()
    assert theirs == ours


@pytest.mark.parametrize("uuid", ["a-uuid", 'a "quoted" one', "漢字", "back\\slash", "<ticket>"])
def test_the_id_is_the_callers_uuid_and_nothing_expires(uuid: str) -> None:
    message = json.loads(read_message(uuid, "abc123"))
    assert message["headers"]["id"] == message["properties"]["correlation_id"] == uuid
    assert message["headers"]["expires"] is None
    assert json.loads(message["body"])[:2] == [[], {"ticket": "abc123"}]


def test_a_message_says_whose_the_uuid_is() -> None:
    message = json.loads(read_message("a-uuid", "abc123", account="bank"))
    assert message["headers"]["id"] == "a-uuid"
    assert json.loads(message["body"])[1] == {"ticket": "abc123", "account": "bank"}


def test_probes_have_an_id_each(redis: RedisProcess) -> None:
    enqueue_probe(redis.client, NAME)
    enqueue_probe(redis.client, NAME)
    first, second = messages(redis)
    assert first["headers"]["task"] == PROBE_TASK
    assert first["headers"]["id"] != second["headers"]["id"]
    assert json.loads(first["body"])[:2] == [[], {}]


def test_queues_are_taken_from_in_the_order_of_their_names() -> None:
    assert sorted((SLICES, PARTIAL, LATE, INFERENCE)) == [INFERENCE, LATE, PARTIAL, SLICES]


def test_a_slice_is_found_by_its_job_and_given_back_to_its_queue() -> None:
    message = json.loads(slice_message(NAME, "a-job", "abc123"))
    assert message["headers"]["id"] == "a-job.abc123"
    assert message["headers"]["task"] == SLICE_TASK
    assert json.loads(message["body"])[1] == {"job": "a-job", "ticket": "abc123"}
    assert message["properties"]["delivery_info"]["routing_key"] == SLICES


def test_versions_of_the_contract_do_not_meet() -> None:
    """Not even as a part of each other's name."""
    for name, value in vars(keys).items():
        if name.isupper() and isinstance(value, str) and name != "_PREFIX":
            assert f":{VERSION}:" in value or f".{VERSION}" in value


def test_a_result_may_say_more_than_is_known_here() -> None:
    result = Result(Outcome.ANSWERED, "德", "handwriting/1", 5, 5, True, 1, 9000, 1_700_000_000)
    newer = json.dumps({**json.loads(result.to_json()), "a new field": 1})
    assert Result.from_json(newer) == result


def test_a_message_may_say_more_than_is_known_here(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[ReadRequest] = []

    class Streak:
        def read(self, request: ReadRequest) -> None:
            told.append(request)

    monkeypatch.setattr(process, "streak", Streak(), raising=False)
    tasks.read.apply(task_id="a-uuid", kwargs={"ticket": "abc123", "a new field": 1}, throw=True)
    assert told == [ReadRequest("a-uuid", "abc123")]


@pytest.mark.parametrize("uuid", ["a-uuid", 'a "quoted" one', "漢字", '"task": "workers.read"'])
def test_a_process_reads_itself_what_a_message_asks_for(uuid: str) -> None:
    message = read_message(uuid, "abc123", trace="00-ab-cd-01", account="bank")
    assert READS in message
    asked = ReadRequest(uuid, "abc123", "00-ab-cd-01", "bank")
    assert ReadRequest.parse(message.encode()) == asked
    assert ReadRequest.parse(read_message(uuid, "abc123").encode()) == (*asked[:2], "", "")


def test_no_message_of_another_task_is_taken_for_one(redis: RedisProcess) -> None:
    enqueue_probe(redis.client, NAME)
    enqueue_sketch(redis.client, NAME, "abc123")
    others = [text.decode() for text in redis.client.lrange(INFERENCE, 0, -1)]
    others.append(slice_message(NAME, "a-job", "abc123"))
    assert len(others) == 3
    assert not any(READS in text for text in others)
