"""What one Redis carries: clients that do what the service does, and the command around them."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest
from matplotlib.figure import Figure

from bench import ledger
from bench.ledger_client import LINE, work
from tests.redis_process import RedisProcess
from workers.contract.readiness import Readiness, Status
from workers.contract.settings import QueueSettings


def status(redis: RedisProcess) -> Status:
    settings = QueueSettings(redis_url=redis.url, lease_ms=60_000)
    (found,) = Readiness(redis.client, settings).statuses([LINE])
    return found


@pytest.fixture
def clean(redis: RedisProcess) -> RedisProcess:
    redis.client.flushall()
    return redis


def test_each_new_request_is_read_once_and_each_kept_one_never_again(clean: RedisProcess) -> None:
    new = work(clean.url, "new", 1_000, 0.2)
    assert status(clean).counts.executions == new > 0
    assert not status(clean).queue_length
    kept = work(clean.url, "kept", 1_000, 0.5)
    assert status(clean).counts.executions == new + min(kept, 100)


def test_so_many_workers_as_were_asked_for_are_looked_at(clean: RedisProcess) -> None:
    assert work(clean.url, "look", 7, 0.1)
    assert status(clean).workers == 7


@pytest.mark.redis
def test_the_command_tells_of_redis_alone() -> None:
    parser = ArgumentParser()
    ledger.add_arguments(parser)
    short = ["--seconds", "0.2", "--clients", "1", "--sizes", "50000", "--processes", "3"]
    found = ledger.measure(parser.parse_args(short))
    rows = {row["what"]: row for row in found["redis"].rows}
    assert list(rows) == ["new, 50 kB", "kept", "a beat, of 3", "a front's look at 3"]
    # An image goes to Redis, and from there to a worker.
    assert 100 < rows["new, 50 kB"]["kB sent each"] < 120
    for row in rows.values():
        assert row["a core carries/s"] > row["done/s"] > 0
    ledger.draw(Figure(), found)
