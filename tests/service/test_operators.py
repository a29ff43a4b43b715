"""What operators see of a task that runs: who, and never the image."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from celery import Celery

from tests.service_process import SAMPLE, Service, request_body
from workers.contract.keys import BYTES, IMAGE_PREFIX


def test_the_image_of_a_running_task_is_shown_to_nobody(tmp_path: Path) -> None:
    with Service(tmp_path, app="tests.slow_workers", light=True, SLOW_READ_MS="1000") as service:
        service.start(concurrency=1)
        body = request_body()
        with ThreadPoolExecutor(1) as callers:
            call = callers.submit(service.post, body, Prefer="wait=10")
            service.wait_until(lambda: service.executions() == 1)
            with Celery(broker=service.redis.url) as app:
                (tasks,) = app.control.inspect(timeout=2, limit=1).active().values()
            assert call.result().status_code == 200
        assert [task["id"] for task in tasks] == [body["esun_uuid"]]
        assert SAMPLE["image"][:50] not in json.dumps(tasks)

        assert service.redis.client.keys(f"{IMAGE_PREFIX}*") == []
        assert service.redis.client.hget(BYTES, "all") == b"0"
