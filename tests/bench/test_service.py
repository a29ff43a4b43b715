"""The programs of ``make run``, as a measurement starts them."""

from __future__ import annotations

from pathlib import Path

from bench.service import programs
from deploy.run import service_environment


def test_programs_are_those_of_make_run_without_flower() -> None:
    environment = service_environment(Path("/state"), "redis-server", 8123, 0) | {"STATE": "/state"}
    found = {part: (command, own) for part, command, own in programs(environment)}
    assert list(found) == ["redis", "workers", "front"]
    redis, _ = found["redis"]
    assert environment["REDIS_PORT"] in redis
    workers, _ = found["workers"]
    assert f"--concurrency={environment['WORKER_PROCESSES']}" in workers
    front, own = found["front"]
    assert front[-2:] == ["-c", "deploy/gunicorn.conf.py"]
    assert own["PROMETHEUS_MULTIPROC_DIR"] == "/state/metrics"
    assert own["WEB_BIND"] == "127.0.0.1:8123"
