"""The message in the list is the one that Celery and kombu would write."""

from __future__ import annotations

import json
from typing import Any

from kombu import Connection

from tests.redis_process import RedisProcess
from workers.contract.clock import Deadlines
from workers.contract.queue import (
    COMPLETE_TASK,
    INFERENCE,
    LATE,
    PARTIAL,
    PROBE_TASK,
    READ_TASK,
    ImageMessage,
    app,
    enqueue_probe,
)

IMAGE = "/9j/" * 500
MESSAGE = ImageMessage("a-uuid", IMAGE, "punctual:image:b/1:ff", 7, 1_000, Deadlines(1, 2, 3))


def messages(redis: RedisProcess, queue: str = INFERENCE) -> list[dict[str, Any]]:
    """All messages in a list, oldest first."""
    return [json.loads(text) for text in reversed(redis.client.lrange(queue, 0, -1))]


def test_the_envelope_is_the_one_that_kombu_writes(redis: RedisProcess) -> None:
    MESSAGE.enqueue(redis.client)
    ours = messages(redis)[0]
    body = json.loads(ours["body"])
    options = {"body_encoding": "utf-8", "priority_steps": [0]}
    with Connection(redis.url, transport_options=options) as connection:
        app.send_task(
            READ_TASK, task_id="a-uuid", kwargs=body[1], argsrepr="()",
            kwargsrepr=ours["headers"]["kwargsrepr"], ignore_result=True, connection=connection,
        )  # fmt: skip
    theirs = messages(redis)[1]

    for own in ("delivery_tag", "reply_to"):
        assert own in theirs["properties"]
        del ours["properties"][own]
    assert json.loads(theirs.pop("body")) == json.loads(ours.pop("body"))
    # kombu repeats some of the headers among the properties.
    assert theirs.pop("properties").items() >= ours.pop("properties").items()
    assert theirs == ours


def test_the_id_is_the_callers_uuid_and_nothing_expires(redis: RedisProcess) -> None:
    MESSAGE.enqueue(redis.client)
    (message,) = messages(redis)
    assert message["headers"]["id"] == message["properties"]["correlation_id"] == "a-uuid"
    assert message["headers"]["expires"] is None


def test_flower_is_shown_the_size_of_an_image_and_not_the_image(redis: RedisProcess) -> None:
    MESSAGE.enqueue(redis.client)
    (message,) = messages(redis)
    assert "<2000 base64 characters>" in message["headers"]["kwargsrepr"]
    assert IMAGE not in json.dumps(message["headers"])


def test_probes_have_an_id_each(redis: RedisProcess) -> None:
    enqueue_probe(redis.client)
    enqueue_probe(redis.client)
    first, second = messages(redis)
    assert first["headers"]["task"] == PROBE_TASK
    assert first["headers"]["id"] != second["headers"]["id"]


def test_what_arrives_is_what_was_sent(redis: RedisProcess) -> None:
    MESSAGE.enqueue(redis.client)
    (message,) = messages(redis)
    fields = json.loads(message["body"])[1]
    assert ImageMessage.received(message["headers"]["id"], fields) == MESSAGE


def test_what_nobody_waits_for_goes_into_queues_of_their_own(redis: RedisProcess) -> None:
    MESSAGE.set_aside(redis.client, longest=10)
    assert [message["headers"]["task"] for message in messages(redis, LATE)] == [READ_TASK]
    assert messages(redis) == []
    assert sorted((PARTIAL, LATE, INFERENCE)) == [INFERENCE, LATE, PARTIAL]


def test_the_completion_of_an_answer_is_the_same_message_for_another_task() -> None:
    completion = json.loads(MESSAGE.completion())
    assert completion["headers"]["task"] == COMPLETE_TASK
    fields = json.loads(completion["body"])[1]
    assert ImageMessage.received(completion["headers"]["id"], fields) == MESSAGE


def test_of_too_many_the_oldest_are_forgotten(redis: RedisProcess) -> None:
    for number in range(4):
        MESSAGE._replace(uuid=f"uuid-{number}").set_aside(redis.client, longest=2)
    assert [message["headers"]["id"] for message in messages(redis, LATE)] == ["uuid-2", "uuid-3"]
