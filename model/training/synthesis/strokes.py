"""Pen strokes: the middle lines of each character's strokes, every one moved its own way."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.training.errors import DataError
from model.training.synthesis.drawing import Lines

EM = 1024
TOP = 900
KNOTS = 17
FINE = 6
Floats = npt.NDArray[np.float32]


class Strokes:
    """A stroke file: `{"character": [[[x, y], ...], ...]}`, strokes in writing order.

    Points are in an em of 1024 units, y upwards, the top at 900.
    """

    def __init__(self, path: Path) -> None:
        """Raises DataError when the file cannot be read as a stroke file."""
        try:
            medians = json.loads(path.read_bytes())
            self._knots = {
                character: np.stack([_knots(points) for points in strokes]).astype(np.float16)
                for character, strokes in medians.items()
            }
        except (OSError, ValueError, AttributeError, TypeError, IndexError) as error:
            raise DataError(f"cannot read the strokes {path}: {error}") from error
        self.characters = frozenset(self._knots)
        self.name = path.stem

    def draws(self, character: str) -> bool:
        """Whether the file has the character."""
        return character in self.characters

    def lines(self, character: str) -> Lines:
        """The character as the file has it."""
        knots = self._knots[character].astype(np.float32)
        return _dense(knots, np.ones(len(knots), np.float32))

    def written(self, character: str, haste: float, rng: np.random.Generator) -> Lines:
        """The character as a hand writes it, carefully (`haste` 0) or running (1).

        Strokes are moved, turned, stretched, bent and rounded; the next is joined to the last.
        """
        knots = self._knots[character].astype(np.float32)
        count = len(knots)
        middle = knots.mean(axis=1, keepdims=True)
        sway = 0.01 + 0.02 * haste
        turn = rng.normal(0, 0.03 + 0.06 * haste, (count, 1, 1)).astype(np.float32)
        arm = (knots - middle) * rng.normal(1, 0.05 + 0.07 * haste, (count, 1, 1))
        across = arm[..., ::-1] * np.array([-1, 1], np.float32)
        bow = np.sin(np.linspace(0, np.pi, KNOTS, dtype=np.float32))[None, :, None]
        bend = rng.normal(0, 0.03 + 0.05 * haste, (count, 1, 1)) * bow
        chord = (knots[:, -1:] - knots[:, :1])[..., ::-1] * np.array([-1, 1], np.float32)
        moved = middle + rng.normal(0, sway, (count, 1, 2)) + arm + turn * across + bend * chord
        for _ in range(rng.integers(1, 3 + int(5 * haste))):  # corners are cut
            moved[:, 1:-1] += 0.5 * (moved[:, :-2] + moved[:, 2:] - 2 * moved[:, 1:-1]) * 0.8
        force = rng.normal(1, 0.15, count).clip(0.5, 1.6)
        joined = np.flatnonzero(rng.random(count - 1) < 0.55 * haste**1.5)
        if len(joined):
            start, end = moved[joined, -1:], moved[joined + 1, :1]
            share = np.linspace(0, 1, KNOTS, dtype=np.float32)[None, :, None]
            sag = bow * rng.normal(0, 0.12, (len(joined), 1, 1))
            side = (end - start)[..., ::-1] * np.array([-1, 1], np.float32)
            links = start + share * (end - start) + sag * side
            reach = np.hypot(*(end - start)[:, 0].T)
            near = reach < rng.uniform(0.2, 0.75)  # a far stroke is reached through the air
            moved = np.concatenate([moved, links[near]])
            force = np.concatenate([force, rng.uniform(0.25, 0.8, int(near.sum()))])
        return _dense(moved, force)


def _knots(points: list[list[float]]) -> Floats:
    """KNOTS points (x, y), evenly far apart along the line, in an em of 1, y downwards."""
    line = np.array(points, np.float32).reshape(-1, 2) / EM
    line[:, 1] = TOP / EM - line[:, 1]
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0], np.cumsum(lengths)])
    even = np.linspace(0, along[-1], KNOTS)
    return np.stack([np.interp(even, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _dense(knots: npt.NDArray[np.floating], force: npt.NDArray[np.floating]) -> Lines:
    """Points between the knots (s, KNOTS, 2), each as heavy as the line that it stands for."""
    share = (np.arange(FINE, dtype=np.float32) / FINE)[:, None]
    steps = np.diff(knots, axis=1)
    points = knots[:, :-1, None] + share * steps[:, :, None]
    weights = np.hypot(steps[..., 0], steps[..., 1]) / FINE * force[:, None]
    return Lines(
        points.reshape(-1, 2).astype(np.float32),
        np.repeat(weights.reshape(-1), FINE).astype(np.float32),
    )
