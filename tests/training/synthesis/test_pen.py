import numpy as np
import pytest
from PIL import Image

from model.training.synthesis.drawing import Lines
from model.training.synthesis.fonts import SIDE
from model.training.synthesis.pen import SCALE, Hand, Place, draw


def line(weight: float = 1.0) -> Lines:
    """One level line through the middle of the em."""
    x = np.linspace(0.1, 0.9, 400, dtype=np.float32)
    points = np.stack([x, np.full(400, 0.5, np.float32)], axis=1)
    return Lines(points, np.full(400, weight * 0.8 / 400, np.float32))


def test_a_calm_hand_draws_a_line_of_the_given_width_in_place() -> None:
    hand = Hand(0.0, np.random.default_rng(3))

    cover = draw([hand.lay(line(), Place(30, 40, 50))], 3.0, 67, 60)

    across = cover[:, 60]  # through the middle, on the finer canvas
    assert across.sum() / SCALE == pytest.approx(3.0, rel=0.25)
    assert np.average(np.arange(len(across)), weights=across) / SCALE == pytest.approx(40, abs=1.5)
    assert np.flatnonzero(cover.max(axis=0))[[0, -1]] / SCALE == pytest.approx([10, 50], abs=4)


def test_light_strokes_are_thinner_and_paler() -> None:
    hand, place = Hand(0.0, np.random.default_rng(3)), Place(30, 33, 50)

    usual = draw([hand.lay(line(), place)], 2.0, 67, 60)
    light = draw([hand.lay(line(0.4), place)], 2.0, 67, 60)

    assert 0 < light.sum() < 0.6 * usual.sum()
    assert light.max() < usual.max()


def test_what_is_outside_is_cut_off() -> None:
    hand = Hand(0.0, np.random.default_rng(3))

    assert draw([hand.lay(line(), Place(-100, 33, 50))], 2.0, 67, 60).sum() == 0
    assert not Place(-100, 33, 50).reaches(67, 60)
    assert Place(-20, 33, 50).reaches(67, 60)


def test_a_wild_hand_bends_lines_and_pictures() -> None:
    rng = np.random.default_rng(5)
    calm, wild = Hand(0.0, rng), Hand(1.0, rng)
    place = Place(40, 33, 50)
    picture = Image.new("L", (SIDE, SIDE))
    picture.paste(255, (32, 60, 96, 68))

    def bent(hand: Hand) -> float:
        """How far the middle of a level bar rises and falls."""
        canvas = Image.new("L", (SCALE * 80, SCALE * 67))
        hand.press(picture, place, canvas)
        cover = np.asarray(canvas, np.float64)
        columns = np.flatnonzero(cover.sum(axis=0) > 500)
        rows = np.arange(len(cover)) @ cover[:, columns] / cover[:, columns].sum(axis=0)
        return float(np.ptp(rows))

    assert np.mean([bent(calm) for _ in range(5)]) < np.mean([bent(wild) for _ in range(5)])
    levels = [np.ptp(hand.lay(line(), place).points[:, 1]) for hand in (calm, wild)]
    assert levels[0] < levels[1]
