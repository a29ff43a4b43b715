"""How many are let in to ask again while calls are refused, with a turned clock."""

from __future__ import annotations

import gevent
import pytest

from web.precedent import Precedent, Precedents
from web.problems import LineFull

FULL = LineFull(3)
WAIT_MS = 900


class World:
    """A precedent that lets four in at first, and what it sees."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.precedent = Precedent(lambda: self.now_ms, at_first=4)
        self.precedent.note(FULL, WAIT_MS)

    def round(self, comers: int) -> int:
        """How many of the comers are let in, in the next round."""
        self.now_ms += 50
        return sum(gevent.spawn(self.precedent.lets_ask).get() for _ in range(comers))


@pytest.fixture
def world() -> World:
    return World()


def test_right_after_a_refusal_nobody_asks(world: World) -> None:
    world.now_ms += 49
    assert not world.precedent.lets_ask()
    assert not world.precedent.calls_one()


def test_while_all_are_taken_more_are_let_in(world: World) -> None:
    assert [world.round(100) for _ in range(4)] == [4, 6, 9, 13]


def test_not_more_than_come(world: World) -> None:
    assert [world.round(2), world.round(2), world.round(100)] == [2, 2, 4]


def test_when_one_is_refused_fewer_are_let_in_however_many_more_are(world: World) -> None:
    assert world.round(100) == 4
    world.precedent.note(FULL, WAIT_MS)
    world.precedent.note(FULL, WAIT_MS)
    assert not world.precedent.lets_ask()
    assert world.round(100) == 3


def test_one_may_always_ask(world: World) -> None:
    for _ in range(10):
        world.now_ms += 50
        assert world.precedent.calls_one()
        world.precedent.note(FULL, WAIT_MS)
    assert world.round(100) == 1


def test_those_who_have_just_come_are_called_as_many(world: World) -> None:
    world.now_ms += 50
    assert [world.precedent.calls_one() for _ in range(5)] == [True] * 4 + [False]
    world.now_ms += 50
    assert sum(world.precedent.calls_one() for _ in range(100)) == 6


def test_who_may_ask_may_not_any_more_when_another_one_is_refused(world: World) -> None:
    world.now_ms += 50
    assert world.precedent.lets_ask()
    assert world.precedent.is_asked
    world.precedent.note(FULL, WAIT_MS)
    assert not world.precedent.is_asked


def test_its_chance_ends_with_its_verdict(world: World) -> None:
    world.now_ms += 50
    assert world.precedent.lets_ask()
    world.precedent.end()
    assert not world.precedent.is_asked


def test_it_speaks_while_somebody_is_held_back_and_half_a_second_more(world: World) -> None:
    for _ in range(11):
        world.round(1_000)
    world.now_ms += 499
    assert world.precedent.of(WAIT_MS) is FULL
    world.now_ms += 1
    assert world.precedent.of(WAIT_MS) is None


def test_where_nobody_is_held_back_the_way_is_free_soon(world: World) -> None:
    assert [world.round(1) for _ in range(10)] == [1] * 10
    assert world.precedent.of(WAIT_MS) is None


def test_it_is_remembered_for_a_while_of_those_with_no_more_time(world: World) -> None:
    world.now_ms += 1_999
    assert world.precedent.was_of(WAIT_MS)
    assert not world.precedent.was_of(WAIT_MS + 1)
    world.now_ms += 1
    assert not world.precedent.was_of(WAIT_MS)


def test_large_images_ask_one_at_a_time() -> None:
    now_ms = 1_000_000
    precedents = Precedents(lambda: now_ms)
    precedents.note(FULL, WAIT_MS, None, large=True)
    now_ms += 50
    speaking = precedents.speaking(WAIT_MS, None, large=True)
    assert speaking is not None
    assert [speaking.precedent.calls_one() for _ in range(2)] == [True, False]
    assert precedents.speaking(WAIT_MS, None, large=False) is None
    assert not precedents.spoke(WAIT_MS, None)
