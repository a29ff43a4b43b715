"""Thinning: the middle lines of a filled shape, by the algorithm of Zhang and Suen."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]

# The eight neighbours (row, column), clockwise from above; their order is that of the code's bits.
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _deletable() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each pass, whether a pixel goes, by the code (0-255) of its neighbours."""
    codes = np.arange(256)
    on = [(codes >> bit) & 1 for bit in range(8)]
    count = np.sum(on, axis=0)
    rises = np.sum([(on[bit] == 0) & (on[(bit + 1) % 8] == 1) for bit in range(8)], axis=0)
    border = (count >= 2) & (count <= 6) & (rises == 1)  # noqa: PLR2004 - the algorithm's numbers
    up, right, down, left = on[0], on[2], on[4], on[6]
    first = border & (up * right * down == 0) & (right * down * left == 0)
    second = border & (up * right * left == 0) & (up * down * left == 0)
    return first, second


_PASSES = _deletable()


def thin(mask: Mask) -> Mask:
    """0 or 1 (h, w) to the same, lines one pixel wide; what touches the edge is cut off."""
    image = mask.copy()
    image[[0, -1]] = 0
    image[:, [0, -1]] = 0
    width = image.shape[1]
    flat = image.reshape(-1)
    steps = [row * width + column for row, column in _AROUND]
    alive = np.flatnonzero(flat)
    while True:
        before = len(alive)
        for deletable in _PASSES:
            code = np.zeros(len(alive), np.uint8)
            for bit, step in enumerate(steps):
                code |= flat[alive + step] << np.uint8(bit)
            gone = deletable[code]
            flat[alive[gone]] = 0
            alive = alive[~gone]
        if len(alive) == before:
            return image
