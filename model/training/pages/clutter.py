"""Clutter: what lies on sheets and is neither writing nor print of the form."""

from __future__ import annotations

import numpy as np
from PIL import Image

from model.detection import Box
from model.training.pages.blocks import RULINGS, Filling
from model.training.pages.canvas import Colour
from model.training.synthesis.chance import happens

STAMPS: tuple[Colour, ...] = (
    (200, 40, 50),
    (215, 70, 70),
    (40, 60, 150),
    (90, 60, 150),
    (60, 60, 60),
)


_LEGIBLE = 8  # pixels of a character of a stamp


def clutter(filling: Filling) -> None:
    """Each kind on some sheets."""
    for chance, kind in (
        (0.45, _stamp),
        (0.2, _holes),
        (0.12, _bars),
        (0.3, _scribbles),
        (0.25, _marks),
        (0.2, _logo),
        (0.15, _stain),
    ):
        if happens(chance, filling.rng):
            kind(filling)


def _somewhere(filling: Filling, size: float) -> Box:
    canvas, rng = filling.canvas, filling.rng
    x, y = rng.uniform(0, canvas.width - size), rng.uniform(0, canvas.height - size)
    return Box(float(x), float(y), size, size)


def _stamp(filling: Filling) -> None:
    """A seal of a frame with print inside, pressed over whatever is there."""
    rng, canvas = filling.rng, filling.canvas
    colour = STAMPS[rng.integers(len(STAMPS))]
    for _ in range(int(rng.integers(1, 4))):
        box = _somewhere(filling, float(rng.uniform(0.03, 0.12)) * canvas.height)
        before = canvas.picture.copy()
        rows, size = int(rng.integers(1, 4)), 0.0
        if happens(0.5, rng):
            canvas.frame(box, colour, rng.uniform(1, 5))
            size = box.h / (rows + 0.3)
        else:
            canvas.scribble(_round(box), colour, rng.uniform(1, 5))
            size = box.h * 0.7 / (rows + 0.3)
        tint, filling.ruling = filling.ruling, colour
        first = len(canvas.print)
        for row in range(rows):
            y = box.y + box.h / 2 + (row - (rows - 1) / 2) * size
            count = max(1, int(0.8 * box.w / size))
            filling.print(
                box.x + (box.w - count * size) / 2, y, size * 0.9, count, happens(0.2, rng)
            )
        filling.ruling = tint
        # A stamp lets shine through what it is pressed onto.
        share = float(rng.uniform(0, 0.5))
        canvas.picture.paste(Image.blend(canvas.picture, before, share))
        if size < _LEGIBLE:
            del canvas.print[first:]


def _round(box: Box) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, 40)
    xs, ys = box.x + box.w / 2 * (1 + np.cos(angles)), box.y + box.h / 2 * (1 + np.sin(angles))
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def _holes(filling: Filling) -> None:
    """Holes of a ring binder, through which the desk is seen."""
    rng, canvas = filling.rng, filling.canvas
    size = float(rng.uniform(0.012, 0.03)) * canvas.height
    dark = int(rng.uniform(0, 160))
    x = float(rng.uniform(0.005, 0.04)) * canvas.width
    for y in np.linspace(0.1, 0.9, int(rng.integers(2, 24))) * canvas.height:
        canvas.fill(Box(x, float(y), size, size), (dark, dark, dark), 0.9, round_=True)


def _bars(filling: Filling) -> None:
    """A barcode."""
    rng, canvas = filling.rng, filling.canvas
    box = _somewhere(filling, float(rng.uniform(0.08, 0.2)) * canvas.height)
    x, tall = box.x, float(rng.uniform(0.1, 0.4)) * box.h
    while x < box.x + box.w:
        thick = float(rng.uniform(1, 5))
        canvas.fill(Box(x, box.y, thick, tall), (30, 30, 30))
        x += thick + float(rng.uniform(1, 5))


def _scribbles(filling: Filling) -> None:
    """Strokes of a pen that are no characters: signatures, crossings-out, loops."""
    rng, canvas = filling.rng, filling.canvas
    red, green, blue = (int(level) for level in np.clip(filling.hands.colour, 0, 255))
    for _ in range(int(rng.integers(1, 5))):
        box = _somewhere(filling, float(rng.uniform(0.02, 0.12)) * canvas.height)
        steps = np.cumsum(rng.normal(0, 1, (int(rng.integers(3, 30)), 2)), axis=0)
        span = np.maximum(np.ptp(steps, axis=0), 1e-3)
        points = (steps - steps.min(axis=0)) / span * (box.w, box.h * rng.uniform(0.05, 0.6))
        track = [(box.x + float(x), box.y + float(y)) for x, y in points]
        canvas.scribble(track, (red, green, blue), rng.uniform(1, 4))


def _marks(filling: Filling) -> None:
    """Boxes to tick, arrows, brackets, dots, lines of dashes."""
    rng, canvas = filling.rng, filling.canvas
    colour = RULINGS[rng.integers(len(RULINGS))]
    for _ in range(int(rng.integers(2, 12))):
        box = _somewhere(filling, filling.size * float(rng.uniform(0.2, 1.2)))
        match int(rng.integers(5)):
            case 0:
                canvas.frame(box, colour, rng.uniform(1, 3))
            case 1:
                ticked = [(0.0, 0.5), (0.4, 1.0), (1.0, 0.0)]
                track = [(box.x + x * box.w, box.y + y * box.h) for x, y in ticked]
                canvas.scribble(track, (30, 40, 110), 2)
            case 2:
                canvas.fill(Box(box.x, box.y, box.w / 4, box.h / 4), (40, 40, 40), round_=True)
            case 3:
                canvas.rule((box.x, box.y, box.x + 3 * box.w, box.y), colour, rng.uniform(1, 4))
            case _:
                for dash in range(12):
                    at = box.x + dash * box.w / 3
                    canvas.rule((at, box.y, at + box.w / 6, box.y), colour, 1)


def _logo(filling: Filling) -> None:
    """A coloured thing, or a bar with or without print on it."""
    rng, canvas = filling.rng, filling.canvas
    box = _somewhere(filling, float(rng.uniform(0.02, 0.08)) * canvas.height)
    red, green, blue = (int(level) for level in rng.uniform(0, 220, 3))
    wide = box.w * float(rng.uniform(0.5, 5))
    canvas.fill(
        Box(box.x, box.y, wide, box.h), (red, green, blue), rng.uniform(0.2, 1), happens(0.5, rng)
    )
    if happens(0.5, rng):
        filling.label(box.x + box.w, box.y + box.h / 2)


def _stain(filling: Filling) -> None:
    """Coffee, a fold, a marker's stroke."""
    rng, canvas = filling.rng, filling.canvas
    box = _somewhere(filling, float(rng.uniform(0.05, 0.3)) * canvas.height)
    colour = ((255, 240, 90), (150, 110, 60), (140, 140, 140), (255, 190, 200))[rng.integers(4)]
    tall = box.h * float(rng.uniform(0.1, 1))
    canvas.fill(Box(box.x, box.y, box.w, tall), colour, rng.uniform(0.15, 0.5), happens(0.5, rng))
