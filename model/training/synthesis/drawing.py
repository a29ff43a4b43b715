"""What shapes are handed on as, between their source and the pen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Kept = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """Pen lines as many points (n, 2): x, y in an em of 1, y downwards, in no order.

    `weights` (n,): the length of line that each point stands for, times the pen's pressure there.
    """

    points: Floats
    weights: Floats

    def where(self, kept: Kept) -> "Lines":
        """These points alone."""
        return Lines(self.points[kept], self.weights[kept])


@dataclass(frozen=True)
class Part:
    """Of a character of a source, the points of the em for which `keeps` is true."""

    character: str
    keeps: Callable[[Floats], Kept] | None = None

    def of(self, lines: Lines) -> Lines:
        """What is kept of the character's lines."""
        return lines if self.keeps is None else lines.where(self.keeps(lines.points))
