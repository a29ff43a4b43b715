"""What Flower's buttons send to the workers: they may look, and break nothing."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from tests.service_process import Service, another_image, request_body

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("rate_limit", {"task_name": "workers.read", "rate_limit": "1/m"}),
    ("rate_limit", {"task_name": "workers.read", "rate_limit": "0"}),
    ("time_limit", {"task_name": "workers.read", "soft": 0.001, "hard": 0.001}),
    ("cancel_consumer", {"queue": "inference"}),
    ("add_consumer", {"queue": "another"}),
    ("pool_shrink", {"n": 1}),
    ("pool_grow", {"n": 1}),
    ("pool_restart", {}),
    ("autoscale", {"max": 1, "min": 0}),
    ("terminate", {"task_id": "any", "signal": "KILL"}),
    ("shutdown", {}),
]


def replies(service: Service, command: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """What each worker replies."""
    with Celery(broker=service.redis.url, set_as_current=False) as app:
        received: list[dict[str, Any]] = app.control.broadcast(
            command, arguments, reply=True, timeout=5, limit=1
        )
    return [reply for worker in received for reply in worker.values()]


@pytest.mark.parametrize(("command", "arguments"), REFUSED)
def test_what_could_keep_a_worker_from_reading_is_refused(
    service: Service, command: str, arguments: dict[str, Any]
) -> None:
    [reply] = replies(service, command, arguments)
    assert "refused" in reply["error"]
    for seed in (1, 2):
        response = service.insist(request_body(image=another_image(seed)))
        assert response.status_code == 200


def test_a_revoked_uuid_is_read_all_the_same(service: Service) -> None:
    body = request_body(image=another_image(3))
    for command in ("revoke", "terminate"):
        [reply] = replies(service, command, {"task_id": [body["esun_uuid"]], "signal": "KILL"})
        assert "refused" in reply["error"]
    hello = {"from_node": "another", "revoked": {body["esun_uuid"]: 0}}
    assert "refused" in replies(service, "hello", hello)[0]["error"]
    assert service.insist(body).status_code == 200


@pytest.mark.parametrize("command", ["ping", "stats", "active", "registered", "active_queues"])
def test_looking_is_allowed(service: Service, command: str) -> None:
    [reply] = replies(service, command, {})
    assert "error" not in reply
