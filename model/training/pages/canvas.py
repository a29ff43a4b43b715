"""The canvas: a blank sheet that keeps account of what is laid onto it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from model.detection import Box
from model.training.pages.ink import Ink
from model.training.synthesis import paper
from model.training.synthesis.chance import happens
from model.training.synthesis.drawing import Floats

Colour = tuple[int, int, int]


@dataclass
class Line:
    """Characters in the order in which they were written: texts and boxes."""

    direction: str
    characters: list[tuple[str, Box]] = field(default_factory=list)


class Canvas:
    """An RGB picture of a sheet, what hands wrote there by lines, and the boxes of print."""

    def __init__(self, height: int, width: int, rng: np.random.Generator) -> None:
        blank = paper.sheet(height, width, rng)
        self.picture = Image.fromarray(np.clip(blank, 0, 255).astype(np.uint8))
        self.height, self.width = height, width
        self.lines: list[Line] = []
        self.print: list[Box] = []
        self._draw = ImageDraw.Draw(self.picture)

    def lay(self, ink: Ink, place: Box, colour: Floats, strength: float = 1.0) -> Box | None:
        """Ink stretched to the place; where it is, or None if it does not lie on the sheet."""
        x, y = round(place.x), round(place.y)
        w, h = max(2, round(place.w)), max(2, round(place.h))
        if x < 0 or y < 0 or x + w > self.width or y + h > self.height:
            return None
        cover = ink.cover.resize((w, h), Image.Resampling.BILINEAR)
        if strength < 1:
            cover = cover.point(lambda level: int(level * strength))
        self.picture.paste(_solid(colour), (x, y), cover)
        return Box(x, y, w, h)

    def rule(
        self, ends: tuple[float, float, float, float], colour: Colour, thick: float = 1
    ) -> None:
        """A straight line."""
        self._draw.line(ends, colour, max(1, round(thick)))

    def frame(self, box: Box, colour: Colour, thick: float = 1) -> None:
        """The four sides of a box."""
        corners = (box.x, box.y, box.x + box.w, box.y + box.h)
        self._draw.rectangle(corners, outline=colour, width=max(1, round(thick)))

    def fill(self, box: Box, colour: Colour, share: float = 1.0, round_: bool = False) -> None:
        """A box or an ellipse of one colour, through which the paper may shine."""
        mask = Image.new("L", self.picture.size)
        corners = (box.x, box.y, box.x + box.w, box.y + box.h)
        shape = ImageDraw.Draw(mask)
        (shape.ellipse if round_ else shape.rectangle)(corners, int(255 * share))
        self.picture.paste(colour, (0, 0), mask)

    def scribble(self, points: list[tuple[float, float]], colour: Colour, thick: float) -> None:
        """A stroke that is no character."""
        self._draw.line(points, colour, max(1, round(thick)), joint="curve")

    def soften(self, rng: np.random.Generator) -> None:
        """Lines of whole pixels become as soft as printed ones."""
        if happens(0.7, rng):
            radius = float(rng.uniform(0.3, 0.7))
            self.picture = self.picture.filter(ImageFilter.GaussianBlur(radius))
            self._draw = ImageDraw.Draw(self.picture)


def _solid(colour: Floats) -> Colour:
    red, green, blue = (int(level) for level in np.clip(colour, 0, 255))
    return red, green, blue
