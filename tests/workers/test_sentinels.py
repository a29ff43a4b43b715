"""A client behind sentinels, while it tries again to reach a master that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import MasterNotFoundError, Sentinel

from tests.redis_process import RedisProcess
from workers.contract.connection import impatient, patient
from workers.contract.settings import QueueSettings

SETTINGS = QueueSettings(redis_url="sentinel://127.0.0.1:1")


class Known:
    """In the place of the sentinels: they name the old master thrice, nobody, and the new one."""

    def __init__(self, old: RedisProcess, new: RedisProcess) -> None:
        self.old, self.new = old, new
        self.left = 3

    def discover_master(self, name: str) -> tuple[str, int]:
        assert name == "mymaster"
        self.left -= 1
        if self.left == 0:
            raise MasterNotFoundError
        return "127.0.0.1", (self.old if self.left > 0 else self.new).port


def test_what_is_tried_again_goes_to_the_new_master(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a connection that was open when its master died."""
    old = RedisProcess(tmp_path / "old")
    old.start()
    known = Known(old, redis)
    monkeypatch.setattr(Sentinel, "discover_master", lambda _, name: known.discover_master(name))
    client = patient(SETTINGS)
    client.set("before", 1)
    old.stop()
    client.set("after", 2)
    assert redis.client.get("after") == b"2"
    assert known.left < 0


def test_sentinels_that_are_away_are_not_waited_for() -> None:
    with pytest.raises(RedisConnectionError):
        impatient(SETTINGS, 100).ping()
