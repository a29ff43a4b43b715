"""Font faces: which characters one draws, filled or thinned to its middle lines."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

from model.training.errors import DataError
from model.training.synthesis.drawing import Lines
from model.training.synthesis.thinning import thin

SUFFIXES = (".ttf", ".ttc", ".otf")
EM = 96
SIDE = 128
KEPT = 2048
HEAVY = 0.16  # of the picture
_HALF = 127


class Face:
    """One font file."""

    def __init__(self, path: Path) -> None:
        """Raises DataError when the file is no font."""
        try:
            self._font = ImageFont.truetype(path, EM, layout_engine=ImageFont.Layout.BASIC)
            with TTFont(path, fontNumber=0, lazy=True) as tables:
                self.characters = frozenset(map(chr, tables.getBestCmap() or {}))
        except (OSError, TTLibError) as error:
            raise DataError(f"cannot read the font {path}: {error}") from error
        self.name = path.stem
        self.light = self._weight() < HEAVY
        self._kept = lru_cache(KEPT)(self._thinned)

    def draws(self, character: str) -> bool:
        """Whether it has an outline; some fonts map characters to empty ones."""
        _, top, _, bottom = self._font.getbbox(character)
        return character in self.characters and top < bottom

    def filled(self, character: str, bolder: float = 0) -> Image.Image:
        """The character, `bolder` pixels thicker all round, as an L picture of SIDE x SIDE.

        The em is EM pixels, in the middle.
        """
        picture = Image.new("L", (SIDE, SIDE))
        ImageDraw.Draw(picture).text(
            (SIDE / 2, SIDE / 2), character, 255, self._font, anchor="mm", stroke_width=bolder
        )
        return picture

    def lines(self, character: str) -> Lines:
        """The middle lines of the character's strokes."""
        points, weights = self._kept(character)
        return Lines(points.astype(np.float32), weights.astype(np.float32))

    def _weight(self) -> float:
        """How much of the em the characters cover, 0-1, in the mean of some of them."""
        some = sorted(self.characters)[:: max(len(self.characters) // 16, 1)]
        return float(np.mean([np.asarray(self.filled(one)) for one in some])) / 255

    def _thinned(self, character: str) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
        line = thin((np.asarray(self.filled(character)) > _HALF).astype(np.uint8))
        rows, columns = np.nonzero(line)
        # Steps of whole pixels become even lines: each point moves to the middle of those near it.
        near, around = np.zeros((3, len(rows)), np.float32), np.pad(line, 2)
        for down in range(-2, 3):
            for right in range(-2, 3):
                on = around[rows + 2 + down, columns + 2 + right]
                near += on * np.array([[right], [down], [1]], np.float32)
        points = np.stack([columns + near[0] / near[2], rows + near[1] / near[2]], axis=1)
        em = (points + 0.5 - SIDE / 2) / EM + 0.5
        return em.astype(np.float16), np.full(len(rows), 1.15 / EM, np.float16)
