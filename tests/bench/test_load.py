"""Arrivals and calls."""

from __future__ import annotations

import pytest

from bench.capacity import Capacity
from bench.load import Load
from bench.pictures import Pictures
from bench.target import Target

NOBODY = Target("nobody", "http://127.0.0.1:9")


def test_even_arrivals(pictures: Pictures, capacity: Capacity) -> None:
    load = Load(NOBODY, pictures, capacity, "even", seed=0)
    assert list(load.arrivals(10, 3)) == [0, 0.1, 0.2]


def test_poisson_arrivals_have_the_rate_and_a_seed(pictures: Pictures, capacity: Capacity) -> None:
    first, again = (Load(NOBODY, pictures, capacity, "poisson", seed=1) for _ in range(2))
    due = list(first.arrivals(10, 2_000))
    assert due == sorted(due) == list(again.arrivals(10, 2_000))
    assert due[-1] == pytest.approx(200, rel=0.1)


def test_every_call_is_a_uuid_and_an_image_of_its_own(
    pictures: Pictures, capacity: Capacity
) -> None:
    load = Load(NOBODY, pictures, capacity, "even", seed=0)
    calls = [load.call() for _ in range(10)]
    assert len({call.uuid for call in calls}) == len({call.image for call in calls}) == 10
