"""Fixtures: a Redis per test, one service for the tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis_process import RedisProcess
from tests.service_process import Service


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def redis(redis_process: RedisProcess) -> RedisProcess:
    """An empty Redis."""
    redis_process.client.flushall()
    return redis_process


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service that tests share and must leave running."""
    with Service(
        tmp_path_factory.mktemp("service"), CAPTAIN_EMAIL="captain@example.org", SALT="pepper"
    ) as running:
        running.start()
        yield running
