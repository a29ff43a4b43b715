"""A page: the characters that were found on one picture, and what has been read of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.detection import Box, Found
from model.engines import Probabilities
from model.ensemble import Ensemble, Reading
from model.image import squeezed
from model.manifest import Sheet
from model.order import Order, in_order
from model.second import Known, SecondReader

# What stands in a text for a character that is none of the list, or was not read.
UNKNOWN: Final = "〓"
_ALTERNATIVES: Final = 3
# From there on a character is cut out along its own edges and not along the picture's.
_TURNED_DEGREES: Final = 1.5


@dataclass
class Character:
    """One character: where it is, its pixels as the members see them, and what they said.

    ``total``: the sum of the probabilities of the members that were asked. ``known``: what the
    second reader says of it, where they refuse it.
    """

    found: Found
    polygon: tuple[tuple[float, float], ...]
    pixels: npt.NDArray[np.uint8]
    total: Probabilities | None = None
    reading: Reading | None = None
    known: Known | None = None
    told: dict[str, Any] = field(default_factory=dict)


class Page:
    """A page in reading order. ``finding_us``: how long it took to find what is on it."""

    finding_us = 0

    def __init__(
        self,
        number: int,
        picture: Image.Image,
        found: list[Found],
        ensemble: Ensemble,
        rules: Sheet,
        second: SecondReader | None = None,
    ) -> None:
        """``number``: from 1 on. The picture is not kept."""
        self._number, self._width, self._height = number, *picture.size
        self._problem: str | None = None
        self._ensemble, self._second = ensemble, second
        self._review = rules.review
        size = ensemble.bundle.manifest.input
        self._print = [one for one in found if one.printed]
        written = [one for one in found if not one.printed]
        self._order: Order = in_order([one.box for one in written])
        self.characters: list[Character] = []
        for one in written:
            polygon = _polygon(one.box, rules.margin, self._order.angle)
            cut = _cut(picture, polygon, self._order.angle)
            pixels = squeezed(cut, size.height, size.width)
            self.characters.append(Character(one, polygon, pixels))
            self._tell(self.characters[-1])

    @classmethod
    def unreadable(cls, number: int, problem: str, ensemble: Ensemble, rules: Sheet) -> Page:
        """A page of which nothing can be seen, and why."""
        page = cls(number, Image.new("RGB", (1, 1)), [], ensemble, rules)
        page._problem, page._width, page._height = problem, 0, 0
        return page

    def ask(self, characters: Sequence[Character], members: int) -> None:
        """Have one more member read characters, of which so many have been asked so far."""
        images = [character.pixels.astype(np.float32) for character in characters]
        is_last = members + 1 == self._ensemble.size
        said = self._ensemble.said(images, members)
        for character, pixels, probabilities in zip(characters, images, said, strict=True):
            before = character.total
            character.total = probabilities if before is None else before + probabilities
            character.reading = self._ensemble.reading(character.total, members + 1)
            if is_last and self._second and character.reading.answer == self._isnull:
                character.known = self._second.read(pixels)
            self._tell(character)

    def _tell(self, character: Character) -> None:
        """What is to be told of a character, as JSON has it."""
        reading, found = character.reading, character.found
        told: dict[str, Any] = {
            "text": None,
            "box": _rounded(found.box),
            "polygon": [_rounded(corner) for corner in character.polygon],
            "detection": round(found.probability, 3),
            "read": reading is not None,
            "review": True,
        }
        if reading is not None:
            isnull = self._isnull
            text = None if reading.answer == isnull else reading.answer
            others: list[dict[str, Any]] = [
                {"text": other.text, "confidence": round(other.probability, 4)}
                for other in reading.alternatives
                if other.text != isnull
            ]
            # Of what is none of the labels it is that of what it would be: nobody takes it unseen.
            sure = reading.probability if text or not others else others[0]["confidence"]
            if character.known:
                text, sure = character.known
            told |= {
                "text": text,
                "confidence": round(sure, 4),
                "alternatives": others[:_ALTERNATIVES],
                "review": text is None or sure < self._review,
            }
        character.told = told

    @property
    def _isnull(self) -> str | None:
        rule = self._ensemble.bundle.manifest.isnull
        return rule.label if rule else None

    def text(self) -> str:
        """A line of text for each line that was found."""
        return "\n".join(
            "".join(self.characters[number].told["text"] or UNKNOWN for number in line.members)
            for line in self._order.lines
        )

    def told(self) -> dict[str, Any]:
        """The page as JSON has it; boxes are left, top, width and height in its pixels."""
        lines = []
        for line in self._order.lines:
            members = [self.characters[number] for number in line.members]
            lines.append(
                {
                    "direction": line.direction,
                    "box": _around([one.found.box for one in members]),
                    "text": "".join(one.told["text"] or UNKNOWN for one in members),
                    "characters": [one.told for one in members],
                }
            )
        return {
            "page": self._number,
            **({"problem": self._problem} if self._problem else {}),
            "looked_at": self._problem is None,
            "width": self._width,
            "height": self._height,
            "unit": "pixel",
            "angle": self._order.angle,
            "lines": lines,
            "print": [
                {"box": _rounded(one.box), "detection": round(one.probability, 3)}
                for one in self._print
            ],
        }


def _polygon(box: Box, margin: float, degrees: float) -> tuple[tuple[float, float], ...]:
    """The corners of a character with some paper around, from the upper left one clockwise.

    On a page that lies askew they are turned as it is.
    """
    turned = np.radians(degrees) if abs(degrees) >= _TURNED_DEGREES else 0.0
    half = np.array([box.w, box.h]) * (0.5 + margin)
    if turned:
        # The box is upright and around the turned character: that is so much smaller.
        grown = abs(np.sin(turned))
        half = np.maximum(half - grown * half[::-1], 0.7 * half)
    cosine, sine = np.cos(turned), np.sin(turned)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    corners = corners @ np.array([[cosine, sine], [-sine, cosine]])
    corners += (box.x + box.w / 2, box.y + box.h / 2)
    return tuple((float(x), float(y)) for x, y in corners)


def _cut(
    picture: Image.Image, polygon: tuple[tuple[float, float], ...], degrees: float
) -> Image.Image:
    """What is within the corners, as far as the picture reaches."""
    xs, ys = zip(*polygon, strict=True)
    if abs(degrees) < _TURNED_DEGREES:
        left, top = max(0, round(min(xs))), max(0, round(min(ys)))
        right, bottom = min(picture.width, round(max(xs))), min(picture.height, round(max(ys)))
        return picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    across = np.hypot(xs[1] - xs[0], ys[1] - ys[0])
    down = np.hypot(xs[3] - xs[0], ys[3] - ys[0])
    size = (max(1, round(float(across))), max(1, round(float(down))))
    corners = [polygon[n] for n in (0, 3, 2, 1)]
    return picture.transform(
        size,
        Image.Transform.QUAD,
        tuple(side for corner in corners for side in corner),
        Image.Resampling.BICUBIC,
        fillcolor="white",
    )


def _around(boxes: list[Box]) -> list[float]:
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.w for box in boxes), max(box.y + box.h for box in boxes)
    return _rounded((left, top, right - left, bottom - top))


def _rounded(numbers: tuple[float, ...]) -> list[float]:
    return [round(number, 1) for number in numbers]
