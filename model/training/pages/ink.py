"""Ink: one character without its paper, to be laid onto any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.training.synthesis import paper
from model.training.synthesis.chance import happens
from model.training.synthesis.drawing import Floats
from model.training.synthesis.fonts import Face
from model.training.synthesis.pen import SCALE, Hand, Place, draw
from model.training.synthesis.shapes import Shapes
from model.training.synthesis.strokes import Strokes

# Of the faces that are fetched, those that forms are printed with; of others, all are.
PRINTED = ("cactus-", "chocolate-", "huninn-", "lxgw-", "wdxl-")
SIGNS = "0123456789ABCDEFGHJKLMNPRSTUVXYZabdeghknqrtuy"
_LISTED = 0.6  # of what is drawn as handwriting: characters of the label list
_EM = 56  # pixels of a drawn character, which is then made smaller
_SPECK = 14  # levels by which paper may be darker than paper
_RED = 35  # levels above green and blue: of a ruling
_FULL = 0.8  # of the darkest ink: from there on no paper is seen
_TOUCHED = 90  # of 255: from there on a pixel belongs to the character's box


@dataclass(frozen=True)
class Ink:
    """``cover``: L picture of how far ink covers each pixel, no wider or higher than the ink.

    ``colour`` (3,), 0-255: that in which it was written; None for ink of any colour.
    """

    text: str
    cover: Image.Image
    colour: Floats | None = None


def lifted(picture: Image.Image, text: str, rulings: bool) -> Ink | None:
    """The ink on the RGB picture of one character, with or without red rulings; None on blanks."""
    pixels = np.asarray(picture, np.float32)
    light = pixels.sum(axis=2)
    blank = np.median(pixels[light >= np.percentile(light, 60)], axis=0)
    dark = np.max(blank - pixels, axis=2) - _SPECK
    if not rulings:
        red = pixels[..., 0] - pixels[..., 1:].max(axis=2)
        dark[(red > _RED) & (pixels[..., 0] > 0.55 * blank[0])] = 0
    strong = np.percentile(dark, 97)
    if strong < 2 * _SPECK:
        return None
    cover = np.clip(dark / (_FULL * strong), 0, 1)
    written = pixels[cover > _FULL].mean(axis=0)
    return _tight(text, (cover * 255).astype(np.uint8), written)


class Pens:
    """Draws characters as hands write them and as forms are printed."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        named = [face for face in shapes.faces if face.name.startswith(PRINTED)]
        self.print_faces = named or shapes.faces
        self.characters = {source.name: sorted(source.characters) for source in shapes.sources}
        self._listed = {
            name: sorted(set(drawn) & set(shapes.labels)) for name, drawn in self.characters.items()
        }

    def hand(self, rng: np.random.Generator) -> tuple[Hand, float, float]:
        """A hand, its haste, and its pen's width in pixels."""
        wild = float(rng.uniform(0.15, 0.9))
        return Hand(wild, rng), float(rng.beta(1.1, 2.5)), float(rng.lognormal(0.8, 0.3))

    def written(self, hand: tuple[Hand, float, float], rng: np.random.Generator) -> Ink | None:
        """Any character, now and then a digit or a letter."""
        sources = self._shapes.sources
        strokes = self._shapes.strokes and happens(0.6, rng)
        source = self._shapes.strokes[0] if strokes else sources[rng.integers(len(sources))]
        listed = self._listed[source.name]
        pool = listed if listed and happens(_LISTED, rng) else self.characters[source.name]
        character = str(rng.choice(pool))
        faces = self._shapes.faces
        if faces and happens(0.08, rng):
            source, character = faces[rng.integers(len(faces))], str(rng.choice(list(SIGNS)))
        if not source.draws(character):
            return None
        how, haste, width = hand
        side = round(1.5 * _EM)
        laid = how.lay(
            source.written(character, haste, rng)
            if isinstance(source, Strokes)
            else source.lines(character),
            Place(side / 2, side / 2, _EM, float(rng.uniform(0.75, 1.05))),
        )
        cover = draw([laid], width, side, side).reshape(side, SCALE, side, SCALE).mean(axis=(1, 3))
        return _tight(character, (cover * 255).astype(np.uint8), None)

    def printed(self, face: Face, character: str, bolder: float) -> Ink | None:
        """A character of a font."""
        if not face.draws(character):
            return None
        return _tight(character, np.asarray(face.filled(character, bolder)), None)


class Inks:
    """What hands write on sheets: ink lifted from images where there are any, else drawn."""

    def __init__(self, pens: Pens, lifted: Sequence[Ink], share: float = 0.7) -> None:
        """``share``: of the hands whose characters are lifted, where there are any."""
        self.pens, self._lifted, self._share = pens, lifted, share if lifted else 0.0

    def hand(self, rng: np.random.Generator) -> Hands:
        """Whoever fills in a sheet, or a part of it."""
        return Hands(
            self.pens,
            self._lifted if happens(self._share, rng) else (),
            self.pens.hand(rng),
            paper.colour(paper.INKS, rng),
            one_pen=happens(0.5, rng),
        )


@dataclass(frozen=True)
class Hands:
    """Writes character after character; with ``one_pen`` all in the same colour."""

    pens: Pens
    lifted: Sequence[Ink]
    hand: tuple[Hand, float, float]
    colour: Floats
    one_pen: bool

    def next(self, rng: np.random.Generator) -> tuple[Ink, Floats]:
        """One more character, and its colour."""
        while True:
            if self.lifted:
                ink: Ink | None = self.lifted[int(rng.integers(len(self.lifted)))]
            else:
                ink = self.pens.written(self.hand, rng)
            if ink is not None:
                own = self.colour if self.one_pen or ink.colour is None else ink.colour
                return ink, own


def _tight(text: str, cover: npt.NDArray[np.uint8], colour: Floats | None) -> Ink | None:
    rows = np.flatnonzero((cover > _TOUCHED).any(axis=1))
    columns = np.flatnonzero((cover > _TOUCHED).any(axis=0))
    if min(len(rows), len(columns)) <= 1:
        return None
    left, top, right, bottom = map(int, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return Ink(text, Image.fromarray(cover).crop((left, top, right, bottom)), colour)
