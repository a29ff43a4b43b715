"""Which uuids are known, of calls whose questions are put together."""

from __future__ import annotations

from unittest.mock import Mock

import gevent
from redis import ConnectionError as RedisAway

from web.acquaintance import Acquaintance
from web.glance import Call
from web.problems import AlgorithmUnknown

KEPT, NONSENSE = Call(None, "kept"), Call("nonsense", "kept")


def named(algorithm: str | None) -> str:
    if algorithm is not None:
        raise AlgorithmUnknown(algorithm)
    return "handwriting"


def acquaintance(known: Mock) -> Acquaintance:
    return Acquaintance(Mock(known=known), Mock(named=named), Mock(holder=lambda _: ""))


def asked(one: Acquaintance, *calls: Call) -> list[bool]:
    """What each of them is told, all of which ask at once."""
    asking = [gevent.spawn(one.knows, call) for call in calls]
    gevent.joinall(asking, timeout=5)
    return [each.value for each in asking]


def test_a_name_of_no_algorithm_is_its_callers_affair() -> None:
    one = acquaintance(Mock(side_effect=set))
    assert asked(one, KEPT, NONSENSE, Call(None, "another")) == [True, False, True]
    assert one.known([NONSENSE, KEPT]) == {KEPT}


def test_whatever_goes_wrong_nobody_is_known_and_the_next_are_asked_about() -> None:
    one = acquaintance(Mock(side_effect=[RedisAway, ValueError, {}]))
    assert [asked(one, KEPT) for _ in range(3)] == [[False]] * 3
