"""The handler under Lambda's own runtime: events in, replies out, in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import TargetUnavailable
from bench.runtime_api import HANDLER, LambdaEnvironment
from tests.redis_process import RedisProcess
from tests.serverless.test_events import FUNCTION_URL, GATEWAY_1, GATEWAY_2
from tests.service_process import ROOT, SAMPLE, SAMPLE_ANSWER, proof, request_body

VARIABLES = {
    **os.environ,
    **{"CAPTAIN_EMAIL": "captain@example.org", "SALT": "pepper", "THREADS": "1"},
}


@pytest.fixture(scope="module")
def environment(
    redis_process: RedisProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LambdaEnvironment]:
    folder = tmp_path_factory.mktemp("lambda")
    own = {"REDIS_URL": redis_process.url, "ENGINE_CACHE": str(folder.parent / "engine-cache")}
    with LambdaEnvironment(folder, VARIABLES | own) as running:
        yield running


def returned(environment: LambdaEnvironment, event: Any) -> dict[str, Any]:
    return environment.returned(environment.invoke(event)).reply


def of(event: dict[str, Any], asked: Any) -> dict[str, Any]:
    """The event, with this body as it wants it."""
    text = json.dumps(asked)
    return event | {
        "body": base64.b64encode(text.encode()).decode() if event["isBase64Encoded"] else text
    }


@pytest.mark.parametrize("event", [GATEWAY_1, GATEWAY_2, FUNCTION_URL, None])
def test_the_sample_is_read_however_it_comes(
    environment: LambdaEnvironment, event: dict[str, Any] | None
) -> None:
    asked = request_body()
    replies = [returned(environment, of(event, asked) if event else asked) for _ in range(2)]
    for reply in replies:
        assert (reply["statusCode"], reply["isBase64Encoded"]) == (200, False)
        told = json.loads(reply["body"])
        assert told == {
            "esun_uuid": asked["esun_uuid"],
            "server_uuid": proof(told["server_timestamp"], "captain@example.org", "pepper"),
            "server_timestamp": told["server_timestamp"],
            "answer": SAMPLE_ANSWER,
        }
    sources = [reply["headers"]["Punctual-Source"] for reply in replies]
    assert sources == ["computed", "kept"]
    assert replies[0]["body"] == replies[1]["body"]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (GATEWAY_1 | {"body": None}, 400),
        (GATEWAY_2 | {"body": "!", "isBase64Encoded": True}, 400),
        (GATEWAY_2 | {"rawPath": "/inference/photos"}, 404),
        (GATEWAY_1 | {"httpMethod": "GET"}, 405),
        (GATEWAY_2 | {"headers": {"content-encoding": "br"}}, 415),
        (SAMPLE | {"image": "AAAA", "esun_uuid": "no image"}, 422),
        ([1], 422),
        (None, 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem_and_no_error(
    environment: LambdaEnvironment, event: Any, status: int
) -> None:
    reply = returned(environment, event)
    assert (reply["statusCode"], json.loads(reply["body"])["status"]) == (status, status)
    assert reply["headers"]["Content-Type"] == "application/problem+json"


def test_a_bundle_that_cannot_be_served_ends_the_process(tmp_path: Path) -> None:
    own = {"REDIS_URL": "", "BUNDLE": str(tmp_path)}
    with (
        LambdaEnvironment(tmp_path, VARIABLES | own) as environment,
        pytest.raises(TargetUnavailable, match=r"manifest\.json is missing"),
    ):
        returned(environment, SAMPLE)


def test_neither_server_nor_queue_nor_locks_of_processes_are_loaded(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Given no ``/dev/shm``, and no Redis, an image is read."""
    module, _, name = HANDLER.rpartition(".")
    program = f"""
import json, sys
sys.modules["_multiprocessing"] = None
from {module} import {name}
class Context:
    def get_remaining_time_in_millis(self):
        return 3_000
reply = {name}(json.loads(sys.argv[1]), Context())
assert reply["statusCode"] == 200, reply
assert reply["headers"]["Punctual-Source"] == "computed"
print(*sys.modules)
"""
    cache = tmp_path_factory.getbasetemp() / "engine-cache"
    run = subprocess.run(
        [sys.executable, "-c", program, json.dumps(SAMPLE)],
        env=VARIABLES | {"REDIS_URL": "", "ENGINE_CACHE": str(cache)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert not loaded & {"flask", "werkzeug", "gevent", "gunicorn", "celery", "kombu", "redis"}
    assert list(cache.iterdir())
