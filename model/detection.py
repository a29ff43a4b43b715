"""Detection: where on a sheet characters are, and which of them are print.

The network sees a picture a quarter as fine as its pixels. Of each cell it says how likely the
middle of a handwritten and of a printed character is there, and how far that reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.engines import Network, Port

STRIDE: Final = 4
# Pixels at a logarithm of nought.
UNIT: Final = 8.0
# What lies around a picture that is smaller than its canvas.
GROUND: Final = 128
# Of a sheet's longer side, in pixels, as the network usually sees it.
LONG: Final = 1056

FOUND: Final = "found"

# Of larger or smaller characters than these, in pixels, the sheet is seen once more, so that they
# are of the usual size.
_LARGEST, _SMALLEST, _USUAL = 72, 13, 28
# How many canvases a sheet of small characters may take, and how far they overlap in pixels.
_MOST_TILES, _OVERLAP = 9, 96
# A box that ends within so many pixels of a canvas's edge may be of half a character.
_EDGE = 3
# Two boxes that share more than that of both together, or of the smaller, are of one character.
_SAME, _WITHIN = 0.35, 0.7
# The cells around a peak, of which each sees the box in its own way: those whose heat is this part
# of the peak's are of the same character, and their mean errs less than one alone.
_AROUND = tuple(
    (down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)
)
_AGREES = 0.5
# Smaller boxes are as the peak sees them: the next cell may be of another character.
_SEVERAL_CELLS = 14  # pixels
# How far a character leans to handwriting is the logarithm of how much likelier that is there than
# print. What those beside it lean to on the mean, but no further than so far, counts as much as its
# own, as whoever writes by hand writes words: those within so many times the larger's side along
# one axis and half of it across, of sides that differ no more than so.
_VOICE, _BESIDE, _ACROSS, _ALIKE = 1.5, 1.5, 0.5, 1.7
# Handwriting that is taken for print is lost, print that is taken for handwriting is one more.
_DOUBT = 0.5
_LEAST = 1e-3

Floats = npt.NDArray[np.float32]


class Box(NamedTuple):
    """Left, top, width and height in pixels."""

    x: float
    y: float
    w: float
    h: float


class Found(NamedTuple):
    """A character: where, how surely it is one, and whether it is print."""

    box: Box
    probability: float
    printed: bool


class Detector:
    """One detector, loaded for a few sizes of pictures."""

    def __init__(self, networks: Mapping[tuple[int, int], Network], threshold: float) -> None:
        """``networks``: by the height and width of their canvas in pixels."""
        self._networks, self._threshold = networks, threshold

    def find(self, picture: Image.Image) -> list[Found]:
        """All characters of an RGB picture, in no order; boxes in its pixels."""
        scale, size = self._fitting(picture)
        boxes, heats, leanings = self._seen(picture, scale, size)
        written = boxes[leanings >= 0]
        if len(written):
            usual = float(np.median(written[:, 2:].max(axis=1)))
            # Whoever is cut out alone is as large as the picture.
            other = min(1.0, scale * _USUAL / usual)
            while len(_tiles(_scaled(picture, other), size)) > _MOST_TILES:
                other *= 0.95
            if usual > _LARGEST or (usual < _SMALLEST and other > 1.2 * scale):
                boxes, heats, leanings = self._seen(picture, other, size)
                scale = other
        printed = leanings + _beside(boxes, leanings) < -_DOUBT
        return [
            Found(Box(*(float(side) for side in box / scale)), float(heat), bool(is_print))
            for box, heat, is_print in zip(boxes, heats, printed, strict=True)
        ]

    def _fitting(self, picture: Image.Image) -> tuple[float, tuple[int, int]]:
        """How large it can be seen at once, and the smallest canvas that takes it so."""
        scales = {
            size: min(1.0, size[0] / picture.height, size[1] / picture.width)
            for size in self._networks
        }
        size = max(scales, key=lambda size: (scales[size], -size[0] * size[1]))
        return scales[size], size

    def _seen(
        self, picture: Image.Image, scale: float, size: tuple[int, int]
    ) -> tuple[Floats, Floats, Floats]:
        """Boxes (n, 4) in pixels of the scaled picture, probabilities and leanings (n,)."""
        height, width = _scaled(picture, scale)
        small = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32)
        parts = []
        for top, left in _tiles((height, width), size):
            canvas = np.full((*size, 3), GROUND, np.float32)
            part = small[top : top + size[0], left : left + size[1]]
            canvas[: part.shape[0], : part.shape[1]] = part
            boxes, heats, leanings = peaks(self._networks[size](canvas), self._threshold)
            boxes[:, :2] += (left, top)
            tile = (top, left, top + size[0], left + size[1])
            whole = _whole(boxes, tile, (height, width))
            parts.append((boxes[whole], heats[whole], leanings[whole]))
        boxes, heats, leanings = (np.concatenate(same) for same in zip(*parts, strict=True))
        kept = _distinct(boxes, heats)
        return boxes[kept], heats[kept], leanings[kept]


def ports(canvases: list[tuple[int, int]]) -> dict[tuple[int, int], Port]:
    """What to load a detector's graph with, by size."""
    return {size: Port(FOUND, size) for size in canvases}


def peaks(found: Floats, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Where the heats (h/4, w/4, 2) of what was found are highest, with boxes and leanings there.

    ``found`` (h/4, w/4, 6): heats 0-1, then how far the box reaches left, up, right and down, as
    the logarithm of multiples of UNIT.
    """
    # Whoever doubts whether a character is print does not doubt that it is one.
    heats = found[..., :2].max(axis=2)
    leanings = np.log(found[..., 0] + _LEAST) - np.log(found[..., 1] + _LEAST)
    rows, columns = np.nonzero((heats >= _highest_around(heats)) & (heats >= threshold))
    peak, own = heats[rows, columns], _edges(found, rows, columns)
    agree = (own[:, 2:] - own[:, :2]).max(axis=1, initial=0) >= _SEVERAL_CELLS
    total, weights = own * peak[:, None], peak.copy()
    for down, right in _AROUND:
        there = np.clip(rows + down, 0, heats.shape[0] - 1)
        here = np.clip(columns + right, 0, heats.shape[1] - 1)
        weight = heats[there, here]
        weight = np.where(agree & (weight >= _AGREES * peak), weight, 0)
        total += weight[:, None] * _edges(found, there, here)
        weights += weight
    edges = total / weights[:, None]
    boxes = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1)
    return boxes, peak, leanings[rows, columns]


def _beside(boxes: Floats, leanings: Floats) -> Floats:
    """What the characters beside each lean to on the mean (n,); nothing where there are none."""
    middles, sides = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:].max(axis=1)
    voices, means = np.clip(leanings, -_VOICE, _VOICE), np.zeros_like(leanings)
    # One after the other: of a sheet full of specks all pairs would take gigabytes.
    for number, (middle, side) in enumerate(zip(middles, sides, strict=True)):
        larger, apart = np.maximum(sides, side), np.abs(middles - middle)
        near = (apart.max(axis=1) < _BESIDE * larger) & (apart.min(axis=1) < _ACROSS * larger)
        near &= larger < _ALIKE * np.minimum(sides, side)
        near[number] = False
        if near.any():
            means[number] = voices[near].mean()
    return means


def _edges(found: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Floats:
    """Left, top, right and bottom (n, 4) of the boxes that these cells see."""
    sides = UNIT * np.exp(np.clip(found[rows, columns, 2:], -4, 4))
    middle = (np.stack([columns, rows], axis=1) + 0.5) * STRIDE
    return np.concatenate([middle - sides[:, :2], middle + sides[:, 2:]], axis=1, dtype=np.float32)


def _highest_around(heats: Floats) -> Floats:
    """Of the eight cells around each; beyond the edges there is nothing."""
    around = np.pad(heats, 1)
    height, width = heats.shape
    shifted = [
        around[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for down, right in _AROUND
    ]
    highest: Floats = np.max(shifted, axis=0)
    return highest


def _scaled(picture: Image.Image, scale: float) -> tuple[int, int]:
    """Height and width."""
    return max(1, round(picture.height * scale)), max(1, round(picture.width * scale))


def _tiles(whole: tuple[int, int], size: tuple[int, int]) -> list[tuple[int, int]]:
    """Where canvases begin, down and across, that cover a picture."""
    downs, acrosses = (_starts(all_, part) for all_, part in zip(whole, size, strict=True))
    return [(down, across) for down in downs for across in acrosses]


def _whole(
    boxes: Floats, tile: tuple[int, int, int, int], picture: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Which boxes do not touch an edge at which the picture goes on: another tile has all of it."""
    top, left, bottom, right = tile
    ends = boxes[:, :2] + boxes[:, 2:]
    cut = (left > 0) & (boxes[:, 0] < left + _EDGE)
    cut |= (top > 0) & (boxes[:, 1] < top + _EDGE)
    cut |= (right < picture[1]) & (ends[:, 0] > right - _EDGE)
    cut |= (bottom < picture[0]) & (ends[:, 1] > bottom - _EDGE)
    kept: npt.NDArray[np.bool_] = ~cut
    return kept


def _starts(whole: int, part: int) -> list[int]:
    if whole <= part:
        return [0]
    count = -(-(whole - _OVERLAP) // (part - _OVERLAP))
    return [round(number * (whole - part) / (count - 1)) for number in range(count)]


def _distinct(boxes: Floats, heats: Floats) -> list[int]:
    """Which boxes to keep so that no two are of one character, the most probable first."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    areas = boxes[:, 2] * boxes[:, 3]
    kept: list[int] = []
    for number in np.argsort(-heats, kind="stable"):
        if kept:
            sides = np.minimum(high[number], high[kept]) - np.maximum(low[number], low[kept])
            both = np.prod(np.clip(sides, 0, None), axis=1)
            either = areas[number] + areas[kept] - both
            smaller = np.minimum(areas[number], areas[kept])
            if (both > _SAME * either).any() or (both > _WITHIN * smaller).any():
                continue
        kept.append(int(number))
    return kept
