"""The reader without a queue: as many members as there is time for, one image after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.serverless.reader import Reader
from model.ensemble import Reading
from model.errors import EngineFailed, ImageUnreadable
from web.problems import LineFull
from workers.contract.result import Outcome

MEMBERS = 5


class World:
    """An ensemble of which each member takes ``member_ms`` of a clock that nothing else moves."""

    def __init__(self, member_ms: int = 100, settled_by: int = MEMBERS) -> None:
        self.now_ms = 1_700_000_000_000
        self.member_ms, self.settled_by = member_ms, settled_by
        self.between: Callable[[], None] = lambda: None
        ensemble: Any = SimpleNamespace(
            readings=self.readings, size=MEMBERS, bundle=SimpleNamespace(id="handwriting/1")
        )
        self.reader = Reader(ensemble, lambda: self.now_ms)

    def readings(self, image: bytes) -> Iterator[Reading]:
        if image == b"no image":
            raise ImageUnreadable("no image")
        for members in range(1, MEMBERS + 1):
            self.now_ms += self.member_ms
            self.between()
            if image == b"poison":
                raise EngineFailed("nothing came out")
            yield Reading("德", 0.9, members, members >= self.settled_by)


@pytest.mark.parametrize(
    ("patience_ms", "members", "whole"), [(900, 5, True), (350, 3, False), (1, 1, False)]
)
def test_members_are_asked_while_there_is_time(patience_ms: int, members: int, whole: bool) -> None:
    world = World()
    result = world.reader.read(b"image", world.now_ms + patience_ms)
    assert (result.outcome, result.text) == (Outcome.ANSWERED, "德")
    assert (result.members, result.of_members, result.whole) == (members, MEMBERS, whole)
    assert (result.bundle, result.queue_ms) == ("handwriting/1", 0)
    assert result.finished_s == world.now_ms // 1000


def test_a_settled_answer_needs_no_more() -> None:
    world = World(settled_by=2)
    result = world.reader.read(b"image", world.now_ms + 900)
    assert (result.members, result.whole) == (2, True)


@pytest.mark.parametrize(
    ("image", "outcome", "text"),
    [
        (b"no image", Outcome.UNREADABLE, "no image"),
        (b"poison", Outcome.FAILED, "the engine failed on this image"),
    ],
)
def test_what_cannot_be_read_is_a_result(image: bytes, outcome: Outcome, text: str) -> None:
    world = World()
    result = world.reader.read(image, world.now_ms + 900)
    assert (result.outcome, result.text, result.members) == (outcome, text, 0)


def test_who_waits_is_left_its_share_or_told() -> None:
    """Given one that is read, one more comes who has time for it, and one who has none."""
    world = World()
    taken: dict[int, Any] = {}

    def come(patience_ms: int) -> None:
        try:
            taken[patience_ms] = world.reader.read(b"image", began_ms + patience_ms)
        except LineFull as problem:
            taken[patience_ms] = problem

    began_ms = world.now_ms
    others = [threading.Thread(target=come, args=(patience,)) for patience in (2_000, 300)]

    def once() -> None:
        world.between = lambda: None
        for other in others:
            other.start()
        while world.reader._waiting < 2:
            pass

    world.between = once
    assert world.reader.read(b"image", began_ms + 900).members == 5
    for other in others:
        other.join(timeout=10)
    assert isinstance(taken[300], LineFull)
    assert taken[300].retry_after_s == 1
    assert taken[2_000].queue_ms == 400
    assert taken[2_000].members == 5
    # And who begins while two wait takes a third of its time.
    world.reader._waiting = 2
    assert world.reader.read(b"image", world.now_ms + 900).members == 3
