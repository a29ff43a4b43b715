"""A version that reads along: what it is shown, what it makes of it, and whom it makes way for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from model.ensemble import Reading
from model.errors import EngineFailed
from tests.conftest import AnyRedis
from workers.contract import keys
from workers.contract.line import Line, Rate
from workers.contract.settings import QueueSettings
from workers.contract.shadow import Assignment, Change, Figures, Shadow
from workers.shadow import ReadingAlong

OLD, NEW = "handwriting/1", "handwriting/2"


class World:
    """Version 1 answers, version 2 reads along: 德 unless the test says otherwise."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis = redis.client
        self.shadow = Shadow(self.redis)
        self.answer = "德"
        self.old, self.new = self.along(OLD), self.along(NEW)

    def along(self, line: str) -> ReadingAlong:
        ensemble: Any = SimpleNamespace(bundle=SimpleNamespace(id=line), read=self._read)
        return ReadingAlong(ensemble, self.shadow)

    def _read(self, image: bytes) -> Reading:
        assert image == b"image"
        if not self.answer:
            raise EngineFailed("no probabilities")
        return Reading(self.answer, 0.9, 5, settled=True)

    def assignment(self) -> Assignment | None:
        """As a heartbeat of the active version hears it."""
        line = Line(OLD, self.redis, QueueSettings())
        return line.beat("host:1", Rate(1, 1), takes_default=True)

    def show(self, uuid: str = "a-uuid", image: bytes = b"image") -> None:
        self.old.show(self.assignment(), uuid, image, "德", 8_000)

    def work(self) -> list[str]:
        """What version 2 makes of each message that waits for it."""
        done = []
        while message := self.redis.rpop(keys.of(NEW, keys.PARTIAL)):
            body = json.loads(json.loads(message)["body"])
            done.append(self.new.read(body[1]["ticket"]))
        return done


@pytest.fixture
def world(any_redis: AnyRedis) -> World:
    return World(any_redis)


def test_what_was_answered_is_read_along_and_added_up(world: World) -> None:
    world.shadow.assign(NEW, 100)
    world.show()
    assert world.work() == ["alike"]
    world.answer = "得"
    world.show("another")
    assert world.work() == ["changed"]
    figures = world.shadow.figures(NEW)
    assert (figures.read, figures.alike, figures.their_us) == (2, 1, 16_000)
    assert world.shadow.changes(NEW, 5) == [Change("another", "德", "得")]
    assert not list(world.redis.scan_iter(keys.of(NEW, keys.SHOWN) + "*")), "no image stays"


def test_an_engine_that_fails_is_a_change(world: World) -> None:
    world.shadow.assign(NEW, 100)
    world.answer = ""
    world.show()
    assert world.work() == ["changed"]
    assert world.shadow.changes(NEW, 5) == [Change("a-uuid", "德", "(no probabilities)")]


def test_nothing_is_shown_to_nobody(world: World) -> None:
    world.show()
    world.shadow.assign(NEW, 100)
    world.shadow.assign(NEW, 0)
    world.show()
    world.shadow.assign(OLD, 100)  # It was promoted meanwhile.
    world.show()
    assert world.work() == []
    assert not world.redis.exists(keys.of(OLD, keys.PARTIAL))


def test_a_share_of_the_uuids_is_chosen() -> None:
    chosen = sum(Assignment(NEW, 10).chooses(f"uuid-{number}") for number in range(10_000))
    assert 900 < chosen < 1_100
    assert not any(Assignment(NEW, 0).chooses(str(number)) for number in range(1_000))
    assert all(Assignment(NEW, 100).chooses(str(number)) for number in range(1_000))


def test_a_shadow_that_is_behind_is_shown_no_more(world: World) -> None:
    world.shadow.assign(NEW, 100)
    for number in range(30):
        world.show(str(number))
    world.show("large", b"x" * 2_000_000)
    assert world.work() == ["alike"] * 20


@pytest.mark.parametrize("line", [OLD, NEW])
def test_while_callers_wait_it_reads_nothing(world: World, line: str) -> None:
    world.shadow.assign(NEW, 100)
    world.show()
    world.redis.zadd(keys.of(line, keys.LINE), {"a request": 1})
    assert world.work() == ["skipped"]
    assert world.shadow.figures(NEW) == Figures(0, 0, 1, 0, 0)


def test_whoever_begins_anew_counts_from_the_beginning(world: World) -> None:
    world.shadow.assign(NEW, 100)
    world.show()
    world.work()
    world.shadow.assign(NEW, 50)
    assert world.shadow.figures(NEW) == Figures(0, 0, 0, 0, 0)
    assert world.assignment() == Assignment(NEW, 50)
