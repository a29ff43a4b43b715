"""Who is let in, with a turned clock and a ledger that is asked nothing."""

from __future__ import annotations

import socket
from typing import Any
from unittest.mock import Mock

import gevent
import pytest
from gevent.event import Event

from web import glance as module
from web.arrival import Arrival
from web.glance import Glance
from web.problems import FrontBusy, LineFull
from web.settings import WebSettings
from web.turnstile import Refusal, Turnstile

ORDINARY, PATIENT = "", "Prefer: wait=10\r\n"


class World:
    """A turnstile, and what it sees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms, self.age_ms = 1_000_000, 0
        self.known: set[str] = set()
        monkeypatch.setattr(module, "arrival", lambda *_: Arrival(self.age_ms, hung_up=False))
        acquaintance = Mock(knows=lambda call: call.uuid in self.known)
        self.turnstile = Turnstile(
            *(acquaintance, Mock(), Mock(), WebSettings()),
            clock=lambda: 0,
            steady=lambda: self.now_ms,
        )

    def call(self, uuid: str = "new", head: str = ORDINARY, padding: int = 0) -> Refusal | None:
        body = f'{{"esun_uuid": "{uuid}"}}' + " " * padding
        text = f"POST /inference HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
        one: Any = Mock(spec=socket.socket)
        return self.turnstile.refusal(Glance(one, text.encode()))

    def visit(self, uuid: str = "new") -> Refusal | None:
        """A call of its own greenlet, from the door to its verdict."""

        def work() -> Refusal | None:
            refusal = self.call(uuid)
            self.turnstile.is_in()
            return refusal

        result: Refusal | None = gevent.spawn(work).get()
        return result


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_while_nothing_is_known_everybody_is_let_in(world: World) -> None:
    assert world.visit() is None


def test_a_refusal_speaks_for_those_who_come_after_it(world: World) -> None:
    full = LineFull(3)
    world.turnstile.note(full, 900, None, 1_000)
    assert world.visit("abc") == Refusal(full, "abc")


def test_what_is_known_passes(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, None, 1_000)
    world.known = {"kept"}
    assert world.visit("kept") is None


def test_who_has_more_time_than_the_refused_one_passes(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, None, 1_000)
    assert gevent.spawn(world.call, "abc", PATIENT).get() is None


def test_an_old_refusal_says_nothing(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, None, 1_000)
    world.now_ms += 500
    assert all(world.visit(str(number)) is None for number in range(20))


def test_some_ask_again_and_who_comes_after_them_is_refused(world: World) -> None:
    full = LineFull(3)
    world.turnstile.note(full, 900, None, 1_000)
    world.now_ms += 50
    assert [world.visit(str(number)) for number in range(16)] == [None] * 16
    assert world.visit("next") == Refusal(full, "next")


def test_who_passes_since_it_is_known_takes_nobodys_chance(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, None, 1_000)
    world.now_ms += 50
    world.known = {"kept"}
    assert [world.visit("kept") for _ in range(20)] == [None] * 20
    assert world.visit("new") is None


def test_who_waits_to_ask_is_refused_with_the_one_before_it(world: World) -> None:
    """Eight are on their way to the ledger when it refuses; the ninth still waits for its turn."""
    full, verdict = LineFull(3), Event()
    world.turnstile.note(full, 900, None, 1_000)
    world.now_ms += 50

    def visit(uuid: str) -> Refusal | None:
        refusal = world.call(uuid)
        verdict.wait()
        world.turnstile.is_in()
        return refusal

    inside = [gevent.spawn(visit, str(number)) for number in range(9)]
    gevent.sleep(0)
    world.turnstile.note(full, 900, None, 1_000)
    verdict.set()
    assert [each.get(timeout=5) for each in inside] == [None] * 8 + [Refusal(full, "8")]


def test_where_calls_were_refused_nobody_waits_long_for_a_turn(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, None, 1_000)
    world.now_ms += 600
    inside = [gevent.spawn(world.call, str(number)) for number in range(9)]
    refusal = inside[8].get(timeout=5)
    assert refusal is not None
    assert isinstance(refusal.problem, FrontBusy)


def test_whose_time_ran_out_before_the_front_got_round_to_it_is_refused(world: World) -> None:
    world.age_ms = 900
    refusal = world.visit()
    assert refusal is not None
    assert isinstance(refusal.problem, FrontBusy)


def test_only_so_many_go_in_at_a_time(world: World) -> None:
    inside = [gevent.spawn(world.call, str(number)) for number in range(9)]
    gevent.joinall(inside, timeout=0.2)
    assert [call.ready() for call in inside] == [True] * 8 + [False]
    for call in inside:
        call.kill()


def test_a_refused_call_gives_its_turn_back(world: World) -> None:
    world.age_ms = 900
    for number in range(20):
        assert gevent.spawn(world.visit, str(number)).get(timeout=5) is not None


def test_other_paths_go_in(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, None, 1_000)
    connection: Any = Mock(spec=socket.socket)
    assert world.turnstile.refusal(Glance(connection, b"GET /livez HTTP/1.1\r\n\r\n")) is None


def glance_of(head: str = ORDINARY) -> Glance:
    return Glance(Mock(spec=socket.socket), f"POST /inference HTTP/1.1\r\n{head}\r\n".encode())


def test_who_has_just_come_is_refused_as_the_latest_was_but_for_some_that_ask(world: World) -> None:
    full = LineFull(3)
    world.turnstile.note(full, 900, None, 1_000)
    assert world.turnstile.shut_to(glance_of(), 900, 0) is full
    assert world.turnstile.shut_to(glance_of(PATIENT), 10_000, 0) is None
    world.now_ms += 50
    told = [world.turnstile.shut_to(glance_of(), 900, 0) for _ in range(17)]
    assert told == [None] * 16 + [full]


def test_nobody_comes_in_who_would_wait_too_long_for_a_turn(world: World) -> None:
    """Given turns that end every 10 ms, and eight are free, the thirty-third waits for 240 ms."""
    opens = Event()

    def visit() -> None:
        world.call()
        opens.wait()
        world.now_ms += 10
        world.turnstile.is_in()

    crowd = [gevent.spawn(visit) for _ in range(100)]
    gevent.sleep(0.01)
    opens.set()
    gevent.joinall(crowd, timeout=5)
    assert world.turnstile.shut_to(glance_of(), 900, ahead=28) is None
    assert isinstance(world.turnstile.shut_to(glance_of(), 900, ahead=32), FrontBusy)
    assert world.turnstile.shut_to(glance_of(PATIENT), 10_000, ahead=900) is None
    # Of less time, less is to be waited for.
    assert isinstance(world.turnstile.shut_to(glance_of(), 400, ahead=20), FrontBusy)
    # However slow they were, nobody waits for a free one.
    assert world.turnstile.shut_to(glance_of(), 20, ahead=7) is None


def test_a_large_image_speaks_for_large_ones_alone(world: World) -> None:
    """And a small one for all: where it has no room, a large one has none."""
    full, large = LineFull(3), glance_of("Content-Length: 1000000\r\n")
    world.turnstile.note(full, 900, None, 700_000)
    assert world.turnstile.shut_to(large, 900, 0) is full
    assert world.turnstile.shut_to(glance_of("Content-Length: 900\r\n"), 900, 0) is None
    world.turnstile.note(full, 900, None, 1_000)
    assert world.turnstile.shut_to(glance_of("Content-Length: 900\r\n"), 900, 0) is full


def test_a_large_call_waits_a_while_for_its_chance(world: World) -> None:
    full = LineFull(3)
    world.turnstile.note(full, 900, None, 700_000)
    world.now_ms += 50
    assert gevent.spawn(world.call, "asks", ORDINARY, 70_000).get() is None
    world.turnstile.note(full, 900, None, 700_000)
    waits, waits_in_vain = (gevent.spawn(world.call, "new", ORDINARY, 70_000) for _ in range(2))
    gevent.sleep(0.05)
    assert not waits.ready()
    world.now_ms += 50
    gevent.sleep(0.05)
    assert [call.ready() for call in (waits, waits_in_vain)].count(True) == 1
    # Its time for that is over, and another one has just been refused.
    world.now_ms += 200
    world.turnstile.note(full, 900, None, 700_000)
    refusals = [call.get(timeout=1) for call in (waits, waits_in_vain)]
    assert sorted(map(str, refusals)) == sorted(map(str, [None, Refusal(full, "new")]))


def test_the_front_is_shut_for_a_moment_when_it_gets_round_to_calls_too_late(world: World) -> None:
    before = world.turnstile.is_shut
    world.age_ms = 1_000
    assert world.turnstile.left_ms(glance_of()) == -100
    assert (before, world.turnstile.is_shut) == (False, True)
    assert world.turnstile.left_ms(glance_of(PATIENT)) == 9_000
    world.now_ms += 500
    assert not world.turnstile.is_shut


def test_of_another_algorithm_a_refusal_says_nothing(world: World) -> None:
    world.turnstile.note(LineFull(3), 900, "forms", 1_000)
    assert world.turnstile.shut_to(glance_of(), 900, 0) is None
    forms = Glance(Mock(spec=socket.socket), b"POST /inference/forms HTTP/1.1\r\n\r\n")
    assert isinstance(world.turnstile.shut_to(forms, 900, 0), LineFull)
