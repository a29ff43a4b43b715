"""Reading order: which characters make a line, and which line comes next.

Writing that runs across goes from left to right and downwards, row by row through tables and
forms; columns of vertical writing go from right to left. Sheets lie as they may: up to ten
degrees, and seen from aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.detection import Box

Direction = Literal["horizontal", "vertical"]
Floats = npt.NDArray[np.float64]

# In sizes of the characters: what is further apart belongs to different blocks, and lines.
_BLOCK_GAP, _LINE_GAP = 1.3, 3.0
# How much of the smaller side two neighbours of a line share.
_BESIDE = 0.4
# Printed boxes are as far apart in both directions: that alone makes no column.
_CLEARLY = 0.6
_MOST_DEGREES = 15


@dataclass(frozen=True)
class Line:
    """Numbers of the characters in the order in which they are read."""

    direction: Direction
    members: tuple[int, ...]


@dataclass(frozen=True)
class Order:
    """All lines in order, and by how many degrees the writing is turned, clockwise."""

    lines: tuple[Line, ...]
    angle: float


def in_order(boxes: Sequence[Box]) -> Order:
    """How the characters of a page are read."""
    if not boxes:
        return Order((), 0.0)
    array = np.array(boxes, float).reshape(-1, 4)
    size = float(np.median(array[:, 2:].max(axis=1)))
    middles = array[:, :2] + array[:, 2:] / 2
    angle = _angle(middles, size)
    # Rulers laid along the writing: the sheet turned back.
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = middles @ np.array([[cosine, -sine], [sine, cosine]])
    straight = np.concatenate([turned - array[:, 2:] / 2, array[:, 2:]], axis=1)
    lines = []
    for block in _blocks(straight, size):
        part = straight[block]
        vertical = _is_vertical(part, size)
        chains = _chains(part[:, [1, 0, 3, 2]] if vertical else part, size)
        direction: Direction = "vertical" if vertical else "horizontal"
        lines += [Line(direction, tuple(int(block[n]) for n in chain)) for chain in chains]
    return Order(tuple(_sorted(lines, straight)), round(float(np.degrees(angle)), 1))


def _angle(middles: Floats, size: float) -> float:
    """By how much neighbours in a line climb or sink, in radians; rows and columns both tell."""
    slopes = []
    for across in (True, False):
        ahead, aside = (0, 1) if across else (1, 0)
        steps = middles[None] - middles[:, None]
        near = (steps[..., ahead] > 0.3 * size) & (steps[..., ahead] < 2.5 * size)
        near &= np.abs(steps[..., aside]) < 0.6 * steps[..., ahead]
        far = np.where(near, np.hypot(steps[..., 0], steps[..., 1]), np.inf)
        following = far.argmin(axis=1)
        found = np.isfinite(far.min(axis=1))
        step = steps[np.arange(len(middles)), following][found]
        slope = np.arctan2(step[:, aside], step[:, ahead])
        slopes.append(slope if across else -slope)
    # Hands climb and sink; the many tell how the sheet lies.
    angles = np.concatenate(slopes)
    angles = angles[np.abs(angles) < np.radians(_MOST_DEGREES)]
    return float(np.median(angles)) if len(angles) >= 3 else 0.0  # noqa: PLR2004


def _gaps(boxes: Floats) -> tuple[Floats, Floats]:
    """How far it is from each box to each other to its right, and below it; infinite if not so."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    beside = shared > _BESIDE * np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    middles = (low + high) / 2
    after = middles[None] > middles[:, None]
    apart = np.maximum(low[None] - high[:, None], 0)
    right = np.where(beside[..., 1] & after[..., 0], apart[..., 0], np.inf)
    below = np.where(beside[..., 0] & after[..., 1], apart[..., 1], np.inf)
    return right, below


def _blocks(boxes: Floats, size: float) -> list[npt.NDArray[np.intp]]:
    """Numbers of the boxes, by what lies close together."""
    right, below = _gaps(boxes)
    near = np.minimum(right, below) < _BLOCK_GAP * size
    near |= near.T
    block = np.arange(len(boxes))
    while True:
        # Everybody takes the lowest number among those near by, until nothing changes.
        lowest = np.where(near, block[None], len(boxes)).min(axis=1)
        changed = np.minimum(block, lowest)
        if (changed == block).all():
            return [np.flatnonzero(block == number) for number in np.unique(block)]
        block = changed


def _is_vertical(boxes: Floats, size: float) -> bool:
    """Whether the characters stand much closer below each other than beside each other."""
    right, below = (np.minimum(gaps.min(axis=1), _LINE_GAP * size) for gaps in _gaps(boxes))
    return bool(len(boxes) > 1 and np.mean(below) < _CLEARLY * np.mean(right))


def _chains(boxes: Floats, size: float) -> list[list[int]]:
    """Lines of a block of horizontal writing: each box follows the nearest before it."""
    right, _ = _gaps(boxes)
    right[right >= _LINE_GAP * size] = np.inf
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    for flat in np.argsort(right, axis=None, kind="stable"):
        first, second = divmod(int(flat), len(boxes))
        if not np.isfinite(right[first, second]):
            break
        if first not in after and second not in before:
            after[first], before[second] = second, first
    chains = []
    for start in range(len(boxes)):
        if start not in before:
            chain = [start]
            while chain[-1] in after:
                chain.append(after[chain[-1]])
            chains.append(chain)
    return chains


def _sorted(lines: list[Line], boxes: Floats) -> list[Line]:
    """Lines row by row; columns from right to left where they stand beside each other."""
    spans = np.array([_span(boxes[list(line.members)]) for line in lines])
    if not len(spans):
        return []
    rows: list[list[int]] = []
    for number in np.argsort(spans[:, 1] + spans[:, 3] / 2, kind="stable"):
        for row in rows:
            if _in_row(spans, lines, row, int(number)):
                row.append(int(number))
                break
        else:
            rows.append([int(number)])
    ordered = []
    for row in rows:
        ordered += sorted(
            row,
            key=lambda n: (
                -spans[n, 0] if lines[n].direction == "vertical" else spans[n, 0],
                spans[n, 1],
            ),
        )
    return [lines[number] for number in ordered]


def _in_row(spans: Floats, lines: list[Line], row: list[int], number: int) -> bool:
    """Whether a line stands beside those of a row, by half of the lower one's height."""
    if any(lines[other].direction != lines[number].direction for other in row):
        return False
    _, top, _, height = spans[number]
    for other in row:
        _, other_top, _, other_height = spans[other]
        shared = min(top + height, other_top + other_height) - max(top, other_top)
        if shared < min(height, other_height) / 2:
            return False
    return True


def _span(boxes: Floats) -> Floats:
    low = boxes[:, :2].min(axis=0)
    high = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    span: Floats = np.concatenate([low, high - low])
    return span
