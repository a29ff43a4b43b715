from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import keras
import numpy as np
import pytest

from model.training.data.batches import Batches, Mix
from model.training.data.dataset import load
from model.training.fit import tuner
from model.training.fit.network import TRUNK_END
from model.training.fit.tuner import Budget, Tuner
from tests.training.world import LABELS, tiny_network

Draw = Callable[[str, int], Path]
CLASSES = len(LABELS)


@pytest.fixture
def batches(draw: Draw, tmp_path: Path) -> Batches:
    """Two batches an epoch."""
    dataset = load(draw("images", 12), LABELS, 32, tmp_path / "cache")
    return Batches(dataset, np.arange(8), 6, Mix(0.2, 0.2), CLASSES, seed=1)


@pytest.fixture
def seconds() -> Callable[[], float]:
    """A clock on which every look takes one second."""
    ticks: Iterator[int] = count()
    return lambda: float(next(ticks))


def members(count: int) -> list[keras.Model]:
    keras.utils.set_random_seed(3)
    return [tiny_network(len(LABELS), 32) for _ in range(count)]


def trunk(member: keras.Model) -> keras.Model:
    return keras.Model(member.input, member.get_layer(TRUNK_END).output)


def trunk_weights(networks: list[keras.Model]) -> list[list[np.ndarray]]:
    return [trunk(each).get_weights() for each in networks]


def kept_weights(networks: list[keras.Model]) -> list[np.ndarray]:
    """Of the last layer, and the statistics of the batch norms."""
    kept = []
    for layer in [layer for each in networks for layer in each.layers]:
        if isinstance(layer, keras.layers.BatchNormalization):
            kept += layer.get_weights()[2:]
        if isinstance(layer, keras.layers.Dense):
            kept += layer.get_weights()
    return kept


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(map(np.array_equal, one, other))


def test_every_trunk_is_tuned_and_branches_and_statistics_stay(
    batches: Batches, seconds: Callable[[], float]
) -> None:
    networks = members(2)
    before, kept = trunk_weights(networks), kept_weights(networks)

    steps = Tuner(networks, Budget(seconds=1e9, epochs=2)).fit(batches, seconds)

    assert steps == 4
    assert not any(map(same, before, trunk_weights(networks)))
    assert same(kept_weights(networks), kept)


def test_tuning_ends_part_of_the_way_to_the_running_average(
    batches: Batches, seconds: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    (start,) = trunk_weights(members(1))
    ends = []
    for share in (0.5, 1.0):
        monkeypatch.setattr(tuner, "PART", share)
        networks = members(1)
        Tuner(networks, Budget(seconds=1e9, epochs=1)).fit(batches, seconds)
        ends += trunk_weights(networks)

    assert not same(start, ends[1])
    for first, middle, last in zip(start, *ends, strict=True):
        np.testing.assert_allclose(middle, (first + last) / 2, rtol=1e-3, atol=1e-5)


def test_the_time_given_ends_the_tuning(batches: Batches, seconds: Callable[[], float]) -> None:
    steps = Tuner(members(1), Budget(seconds=3, epochs=100)).fit(batches, seconds)

    assert steps == 2  # after one second, and after two


def test_the_rate_rises_and_then_falls_with_what_is_done() -> None:
    budget = Budget(seconds=100, epochs=4)

    assert budget.done(10, 10, elapsed=1) == 0.25
    assert budget.done(10, 10, elapsed=80) == 0.8
    assert budget.done(50, 10, elapsed=1) == 1
    assert budget.rate_at(0, 0) < budget.rate_at(9, 0.1) > budget.rate_at(30, 0.9) > 0
    assert budget.rate_at(40, 1) == 0
