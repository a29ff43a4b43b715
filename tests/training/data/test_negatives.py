import numpy as np
import pytest

from model.training.data.negatives import join, negative, on_paper_of

FIRST = np.full((48, 48, 3), (250, 220, 210), np.uint8)
FIRST[10:38, 20:24] = (20, 20, 90)
SECOND = np.full((48, 48, 3), (200, 210, 250), np.uint8)
SECOND[22:26, 6:42] = (10, 10, 10)


def test_a_join_is_one_image_then_the_other_on_one_paper() -> None:
    rng = np.random.default_rng(0)

    joined = join(FIRST, SECOND, rng)

    assert np.array_equal(joined[:16, :16], FIRST[:16, :16])
    assert not np.array_equal(joined[24:, 30:], FIRST[24:, 30:])
    assert np.abs(joined[-3:, -3:].astype(int) - FIRST[0, 0]).max() <= 1


def test_on_paper_of_leaves_the_image_alone() -> None:
    before = SECOND.copy()

    moved = on_paper_of(SECOND, FIRST)

    assert np.array_equal(SECOND, before)
    assert np.abs(moved[0, 0].astype(int) - FIRST[0, 0]).max() <= 1
    assert moved[24, 20].max() <= 14


@pytest.mark.parametrize("seed", range(30))
def test_no_negative_is_the_character_it_was_made_of(seed: int) -> None:
    made = negative(FIRST, SECOND, np.random.default_rng(seed))

    assert made.shape == FIRST.shape
    assert made.dtype == np.uint8
    assert not np.array_equal(made, FIRST)
    assert not np.array_equal(made, SECOND)
