"""Whose turn it is."""

from __future__ import annotations

from functools import partial

import gevent
import pytest
from gevent.event import Event

from web import turns as module
from web.turns import Turns

LONG_MS = 60_000


def wait_for(
    turns: Turns, got: list[str], due_ms: int, name: str, within_ms: int = LONG_MS
) -> gevent.Greenlet:
    def wait() -> None:
        if turns.take(due_ms, within_ms):
            got.append(name)

    waiter = gevent.spawn(wait)
    gevent.sleep(0)
    return waiter


@pytest.fixture
def taken() -> Turns:
    """Somebody has the only turn."""
    turns = Turns(1)
    turns.take(0, LONG_MS)
    return turns


def test_who_is_due_first_gets_the_next_and_of_equals_who_came_first(taken: Turns) -> None:
    got: list[str] = []
    names = {"patient": 30_000, "hurried": 900, "later": 900, "first": 100}
    waiters = [wait_for(taken, got, due_ms, name) for name, due_ms in names.items()]
    for _ in waiters:
        taken.give_back()
        gevent.sleep(0)
    assert got == ["first", "hurried", "later", "patient"]
    assert taken.are_taken


def test_only_those_count_who_are_due_before(taken: Turns) -> None:
    for due_ms in (30_000, 900, 100):
        wait_for(taken, [], due_ms, "")
    assert [taken.before(due_ms) for due_ms in (99, 100, 900, 29_999, 30_000)] == [0, 1, 2, 2, 3]


def test_who_gives_up_leaves_no_gap(taken: Turns) -> None:
    got: list[str] = []
    wait_for(taken, got, 100, "gives up").kill()
    wait_for(taken, got, 900, "stays")
    taken.give_back()
    gevent.sleep(0)
    assert got == ["stays"]


def test_who_gives_up_in_the_moment_of_its_turn_passes_it_on(taken: Turns) -> None:
    got: list[str] = []
    called = wait_for(taken, got, 100, "called")
    following = wait_for(taken, got, 900, "next")
    called.kill(block=False)
    taken.give_back()
    following.join(timeout=5)
    assert got == ["next"]
    taken.give_back()
    assert not taken.are_taken


def test_who_has_waited_for_so_long_gets_none(taken: Turns) -> None:
    got: list[str] = []
    wait_for(taken, got, 100, "hurried", within_ms=1).join(timeout=5)
    wait_for(taken, got, 900, "stays")
    taken.give_back()
    gevent.sleep(0)
    assert got == ["stays"]


def test_a_turn_that_comes_in_the_moment_when_the_time_is_over_is_not_lost(
    taken: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as Event has it
            """Its time is over; before whoever waited goes on, a turn is given back."""
            taken.give_back()
            return False

    monkeypatch.setattr(module, "_Waiter", partial(module._Waiter, called=Late()))
    assert taken.take(100, 1)
    taken.give_back()
    assert not taken.are_taken
