"""Connections that have not asked yet."""

from __future__ import annotations

import gevent

from web.lobby import Lobby


def sit(lobby: Lobby) -> gevent.Greenlet:
    def wait() -> None:
        lobby.enter()
        gevent.sleep(60)

    greenlet = gevent.spawn(wait)
    gevent.sleep(0)
    return greenlet


def test_the_one_that_sat_longest_makes_way() -> None:
    lobby = Lobby(2)
    first, second, third = (sit(lobby) for _ in range(3))
    gevent.sleep(0)
    assert [greenlet.dead for greenlet in (first, second, third)] == [True, False, False]
    lobby.close()
    gevent.sleep(0)
    assert second.dead
    assert third.dead


def test_who_asks_again_and_again_is_the_latest_to_come() -> None:
    lobby = Lobby(2)

    def ask() -> None:
        while True:
            lobby.enter()
            gevent.sleep(0.01)

    asking = gevent.spawn(ask)
    gevent.sleep(0)
    first, _ = sit(lobby), gevent.sleep(0.05)
    second, _ = sit(lobby), gevent.sleep(0.05)
    assert [each.dead for each in (asking, first, second)] == [False, True, False]
    lobby.close()
    gevent.sleep(0)


def test_who_has_left_is_not_sent_away() -> None:
    lobby = Lobby(1)

    def leave() -> None:
        lobby.enter()
        lobby.leave()
        gevent.sleep(60)

    busy = gevent.spawn(leave)
    gevent.sleep(0)
    waiting = sit(lobby)
    assert not busy.dead
    assert not waiting.dead
    busy.kill()
    waiting.kill()
