"""The members: several images that are read together, with an ensemble that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from model.bunch import Bunch
from model.ensemble import Reading
from model.errors import ImageUnreadable
from workers.contract.result import Outcome, Stop
from workers.members import Members
from workers.pace import Pace
from workers.scheduler import Allowance

NOW_MS, MEMBERS = 1_700_000_000_000, 5
IMAGES = [b"easy", b"hard", b"hard", b"easy"]
UNHURRIED = Allowance(NOW_MS + 1_000)


class Ensemble:
    """Reads the easy ones with one member, the hard ones with all of them, and notes who is asked.

    The whole of it, its express member and its bunch.
    """

    size, MOST, took_us = MEMBERS, Bunch.MOST, 600

    def __init__(self) -> None:
        self.express = self.bunch = self.ensemble = self
        self.asked: list[str] = []
        self.fails = False

    def pixels(self, image: bytes) -> bytes:
        if image == b"no image":
            raise ImageUnreadable("it is none")
        return image

    def readings(self, images: Any) -> Any:
        """Of an image, or of several."""
        if isinstance(images, bytes):
            return self.ask(self.pixels(images))
        self.asked.append("bunch")
        if self.fails:
            raise RuntimeError("a fault of the engine")
        return [self.ask(image, asked=1) for image in images]

    def ask(self, image: bytes, asked: int = 0) -> Iterator[Reading]:
        for member in range(1, MEMBERS + 1):
            if member > asked:
                self.asked.append(f"{image.decode()} {member}")
            yield Reading(image.decode(), 0.9, member, image == b"easy" or member == MEMBERS)


@pytest.fixture
def ensemble() -> Ensemble:
    return Ensemble()


@pytest.fixture
def pace() -> Pace:
    return Pace(1_000, None, 600, Bunch.MOST)


def ask(ensemble: Any, pace: Pace, images: Sequence[bytes], allowance: Allowance) -> list[Any]:
    return Members(ensemble, pace, lambda: NOW_MS, lambda: 0).ask(images, allowance, 0)


def test_the_first_member_reads_all_at_once_and_the_others_what_it_leaves_open(
    ensemble: Ensemble, pace: Pace
) -> None:
    computed = ask(ensemble, pace, IMAGES, UNHURRIED)
    assert [each.text for each in computed] == ["easy", "hard", "hard", "easy"]
    assert [each.members for each in computed] == [1, 5, 5, 1]
    assert [each.stopped for each in computed] == [Stop.SETTLED, Stop.ALL, Stop.ALL, Stop.SETTLED]
    assert all(each.whole and each.outcome is Outcome.ANSWERED for each in computed)
    # In turns, so that none has many members where the time is over before another has two.
    assert ensemble.asked == ["bunch", *(f"hard {member}" for member in (2, 2, 3, 3, 4, 4, 5, 5))]


def test_without_time_for_more_all_have_the_answer_of_one_member(
    ensemble: Ensemble, pace: Pace
) -> None:
    computed = ask(ensemble, pace, IMAGES, Allowance(NOW_MS))
    assert ensemble.asked == ["bunch"]
    assert [each.whole for each in computed] == [True, False, False, True]
    assert computed[1].stopped is Stop.LINE


def test_what_they_take_together_is_shared_and_learnt(
    ensemble: Ensemble, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a clock that goes on by a millisecond whenever somebody looks."""
    ticks = iter(range(0, 10**9, 10**6))
    monkeypatch.setattr("time.perf_counter_ns", lambda: next(ticks))
    computed = ask(ensemble, pace, [b"easy"] * 4, UNHURRIED)
    assert len({each.took_us for each in computed}) == 1
    # What was decoded and concluded is no part of what the bunch takes.
    assert pace.bunch_us == 600 + (250 - 600) / 8
    # A member, too, is believed to take less than it was.
    assert pace.member_us == pytest.approx(1_000 + (250 / 0.6 - 1_000) / 32)


@pytest.mark.parametrize("images", [IMAGES[:1], IMAGES[:3]])
def test_of_fewer_each_begins_by_itself_and_they_take_turns(
    ensemble: Ensemble, pace: Pace, images: list[bytes]
) -> None:
    assert len(ask(ensemble, pace, images, UNHURRIED)) == len(images)
    assert "bunch" not in ensemble.asked
    asked = [int(each.partition(" ")[2]) for each in ensemble.asked]
    assert asked == sorted(asked)


def test_with_the_express_member_each_is_read_alone(ensemble: Ensemble, pace: Pace) -> None:
    hurried = Allowance(NOW_MS, express=True)
    computed = ask(ensemble, pace, IMAGES, hurried)
    assert {each.stopped for each in computed} == {Stop.EXPRESS}
    assert "bunch" not in ensemble.asked


def test_one_that_cannot_be_read_costs_the_others_nothing(ensemble: Ensemble, pace: Pace) -> None:
    computed = ask(ensemble, pace, [*IMAGES[:3], b"no image"], UNHURRIED)
    assert [each.outcome for each in computed] == [*[Outcome.ANSWERED] * 3, Outcome.UNREADABLE]
    assert computed[3].text == "it is none"
    assert ensemble.asked[-4:] == ["hard 4", "hard 4", "hard 5", "hard 5"]


def test_where_the_engine_fails_on_several_each_is_tried_alone(
    ensemble: Ensemble, pace: Pace
) -> None:
    ensemble.fails = True
    computed = ask(ensemble, pace, IMAGES, UNHURRIED)
    assert [each.outcome for each in computed] == [Outcome.ANSWERED] * 4
    assert [each.members for each in computed] == [1, 5, 5, 1]
    ask(ensemble, pace, IMAGES, UNHURRIED)
    assert ensemble.asked.count("bunch") == 1
