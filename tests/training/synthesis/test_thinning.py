import numpy as np

from model.training.synthesis.thinning import thin


def test_a_bar_becomes_its_middle_line() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:17, 5:35] = 1

    line = thin(mask)

    rows, columns = np.nonzero(line)
    assert set(rows) == {13}
    assert columns.max() - columns.min() > 20
    assert mask.sum() == 7 * 30  # the mask itself is left alone


def test_a_ring_stays_closed_and_one_pixel_wide() -> None:
    y, x = np.mgrid[-20:20, -20:20] + 0.5
    far = np.hypot(x, y)

    line = thin(((far > 10) & (far < 16)).astype(np.uint8))

    around = np.hypot(x, y)[line > 0]
    assert 11 < around.min() <= around.max() < 15
    inside = np.zeros_like(line)
    inside[19:21, 19:21] = 1
    for _ in range(80):  # water poured in does not come out
        near = np.pad(inside, 1)
        near = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | inside
        inside = near & (1 - line)
    assert inside[0].sum() == 0
    assert line.sum() < 2 * np.pi * 16


def test_what_touches_the_edge_is_cut_off() -> None:
    assert thin(np.ones((8, 8), np.uint8))[[0, -1]].sum() == 0
