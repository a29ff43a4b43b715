"""The stream of sheets: sheet number i, a pure function of the seed, the inks and i."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.detection import Box
from model.training.data import sources
from model.training.pages.blocks import Filling, fill
from model.training.pages.camera import photographed, scanned
from model.training.pages.canvas import Canvas
from model.training.pages.clutter import clutter
from model.training.pages.ink import Ink, Inks, Pens, lifted
from model.training.synthesis.chance import happens
from model.training.synthesis.shapes import Shapes

LIFTED = 6_000
PHOTOS = 0.4  # of all sheets
SNIPPETS = 0.06


@dataclass(frozen=True)
class Sheet:
    """A JPEG and its truth, in the form of ``model.training.pages.truth``."""

    jpeg: bytes
    truth: dict[str, Any]


class Stream:
    """Sheets without end."""

    def __init__(self, shapes: Shapes, images: Path | None, seed: int) -> None:
        """``images``: of single characters, as for training a reader; half of the ink is theirs."""
        inks = list(islice(_lifted(images), LIFTED)) if images else []
        self._inks, self._seed = Inks(Pens(shapes), inks), seed

    def sheet(self, number: int) -> Sheet:
        """Sheet ``number``."""
        rng = np.random.default_rng((self._seed, number))
        snippet = happens(SNIPPETS, rng)
        canvas = self._snippet(rng) if snippet else self._filled(rng)
        canvas.soften(rng)
        photo = not snippet and happens(PHOTOS, rng)
        view = (photographed if photo else scanned)(canvas.picture, rng)
        lines = [
            {
                "direction": line.direction,
                "characters": [
                    {"text": text, "box": _rounded(view.box(box))} for text, box in line.characters
                ],
            }
            for line in canvas.lines
        ]
        return Sheet(
            view.jpeg,
            {
                "kind": "drawn",
                "variant": "photo" if photo else "scan",
                "width": view.width,
                "height": view.height,
                "lines": lines,
                "ignore": [_rounded(view.box(box)) for box in canvas.print],
            },
        )

    def _filled(self, rng: np.random.Generator) -> Canvas:
        """A sheet of one of the usual shapes, upright or lying."""
        height = int(rng.integers(1000, 1900))
        width = round(height * rng.choice([0.7072, 0.7072, 0.75, 1.0, 1.414]))
        if width > height:
            height, width = round(height * 0.75), round(width * 0.75)
        canvas = Canvas(height, width, rng)
        filling = Filling(canvas, self._inks, rng)
        fill(filling)
        clutter(filling)
        return canvas

    def _snippet(self, rng: np.random.Generator) -> Canvas:
        """A character or a few, cut out, as readers of single characters get them."""
        height = int(rng.integers(60, 140))
        canvas = Canvas(height, int(height * rng.uniform(0.8, 5)), rng)
        filling = Filling(canvas, self._inks, rng)
        filling.size = height * float(rng.uniform(0.55, 0.9))
        filling.write(rng.uniform(0, 0.2) * height, height / 2, canvas.width)
        return canvas


def _rounded(box: Box) -> list[float]:
    return [round(float(value), 1) for value in box]


def _lifted(images: Path) -> Iterator[Ink]:
    """Ink of the images, in another order than theirs; of some with the rulings beside it."""
    found = sorted(sources.contents(images))
    for number in np.random.default_rng(0).permutation(len(found)):
        path, data = found[number]
        with Image.open(io.BytesIO(data)) as picture:
            ink = lifted(picture.convert("RGB"), sources.label(path), rulings=number % 4 == 0)
        if ink is not None:
            yield ink
