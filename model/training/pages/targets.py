"""Targets: what the detector is to say of a picture whose characters are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.detection import STRIDE
from model.training.pages.network import HEATS, SIDES

Floats = npt.NDArray[np.float32]
# In pixels: what is smaller can be seen by nobody.
LEAST = (6.0, 8.0)
_CORE = 0.5
_SPREAD = 6.0  # a character is so many standard deviations wide


def targets(boxes: tuple[Floats, Floats], height: int, width: int) -> Floats:
    """Heats, sides in pixels, and what counts: (height/4, width/4, HEATS + SIDES + HEATS + 1).

    The last of them: for each heat 1 where it is learnt, and 1 where the sides are.

    Args:
        boxes: (n, 4) of x, y, w, h in pixels, of handwriting and of print.
        height: rows of the picture, a multiple of 4.
        width: its columns.
    """
    rows, columns = height // STRIDE, width // STRIDE
    made = np.zeros((rows, columns, HEATS + SIDES + HEATS + 1), np.float32)
    made[..., HEATS + SIDES : -1] = 1
    strongest = np.zeros((rows, columns), np.float32)
    ys = (np.arange(rows, dtype=np.float32) + 0.5) * STRIDE
    xs = (np.arange(columns, dtype=np.float32) + 0.5) * STRIDE
    for kind, of_kind in enumerate(boxes):
        for x, y, w, h in of_kind:
            row, column = int((y + h / 2) // STRIDE), int((x + w / 2) // STRIDE)
            if not (0 <= row < rows and 0 <= column < columns):
                continue
            reach = (
                slice(max(0, int(y // STRIDE) - 2), int((y + h) // STRIDE) + 3),
                slice(max(0, int(x // STRIDE) - 2), int((x + w) // STRIDE) + 3),
            )
            if max(w, h) < LEAST[kind]:
                made[(*reach, HEATS + SIDES + kind)] = 0
                continue
            high, wide = max(h / STRIDE / _SPREAD, 0.5), max(w / STRIDE / _SPREAD, 0.5)
            down = np.exp(-(((np.arange(rows)[reach[0]] - row) / high) ** 2) / 2)
            across = np.exp(-(((np.arange(columns)[reach[1]] - column) / wide) ** 2) / 2)
            heat = (down[:, None] * across).astype(np.float32)
            part = made[reach]
            np.maximum(part[..., kind], heat, out=part[..., kind])
            owned = (heat >= _CORE) & (heat > strongest[reach])
            strongest[reach][owned] = heat[owned]
            there, here = np.broadcast_arrays(xs[None, reach[1]], ys[reach[0], None])
            sides = np.stack([there - x, here - y, x + w - there, y + h - here], axis=-1)
            part[owned, HEATS : HEATS + SIDES] = np.maximum(sides[owned], 0.5)
            part[owned, -1] = 1
    return made
