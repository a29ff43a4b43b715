"""The pen: how a hand places, leans and bends a character, and how thick its line becomes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from model.training.synthesis.drawing import Lines
from model.training.synthesis.fonts import EM, SIDE

SCALE = 2  # ink is laid on a canvas finer than the image
CELLS = 4
_FULL = 128
_EDGE = 0.54  # of the line's middle: how much of a Gaussian is left half a line's width away
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a character stands: the middle of its em in pixels of the image, and the em's size."""

    x: float
    y: float
    size: float
    narrow: float = 1.0

    def reaches(self, height: int, width: int) -> bool:
        """Whether any of it may be inside a picture of that size."""
        half = 0.62 * self.size
        return -half < self.x < width + half and -half < self.y < height + half


class Hand:
    """One hand: its slant, its proportions, and how it bends what it writes."""

    def __init__(self, wild: float, rng: np.random.Generator) -> None:
        """`wild`: 0 for a stamp, 1 for a hand that is hard to read."""
        self._rng, self._wild = rng, wild
        self._slant = rng.normal(0, 0.13 * wild)
        self._turn = rng.normal(0, 0.02 + 0.06 * wild)
        self._rise = rng.normal(0, 0.1 * wild)  # of the horizontal strokes, to the right

    def lay(self, lines: Lines, place: Place) -> Lines:
        """The lines in pixels of the canvas, weights in pixels too."""
        frame = self._frame(place)
        bent = lines.points - 0.5 + self._bend(lines.points)
        points = bent @ frame.T + SCALE * np.array([place.x, place.y])
        return Lines(points.astype(np.float32), lines.weights * np.float32(SCALE * place.size))

    def press(self, picture: Image.Image, place: Place, canvas: Image.Image) -> None:
        """Put a filled character, SIDE x SIDE, bent by this hand onto an L canvas."""
        reach = 0.66 * SCALE * place.size
        x, y = SCALE * place.x, SCALE * place.y
        box = [round(x - reach), round(y - reach), round(x + reach), round(y + reach)]
        wide, high = box[2] - box[0], box[3] - box[1]
        columns = np.linspace(0, wide, CELLS + 1).round()
        rows = np.linspace(0, high, CELLS + 1).round()
        nodes = np.stack(np.meshgrid(columns, rows, indexing="ij"), axis=-1)
        em = (nodes + np.array(box[:2]) - (x, y)) @ np.linalg.inv(self._frame(place)).T
        em = em + 0.5 - self._bend((em.reshape(-1, 2) + 0.5).astype(np.float32)).reshape(em.shape)
        sources = (em - 0.5) * EM + SIDE / 2
        mesh = []
        for column in range(CELLS):
            for row in range(CELLS):
                corners = (*nodes[column, row], *nodes[column + 1, row + 1])
                around = ((0, 0), (0, 1), (1, 1), (1, 0))
                quad = [float(v) for i, j in around for v in sources[column + i, row + j]]
                mesh.append((tuple(int(v) for v in corners), tuple(quad)))
        bent = picture.transform(
            (wide, high), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR
        )
        canvas.paste(255, (box[0], box[1]), bent)

    def _frame(self, place: Place) -> Floats:
        """From the em to the canvas: size, proportions, slant and turn; a new one every time."""
        wild = 0.25 * self._wild
        slant = self._slant + self._rng.normal(0, 0.2 * wild)
        turn = self._turn + self._rng.normal(0, 0.15 * wild)
        across, down = self._rng.normal(1, 0.03 + 0.3 * wild, 2).clip(0.75, 1.25)
        cosine, sine = np.cos(turn), np.sin(turn)
        lean = np.array([[cosine, -sine], [sine, cosine]]) @ np.array(
            [[1, -slant], [-self._rise, 1]]
        )
        sized = lean * (across * place.narrow, down) * (SCALE * place.size)
        return np.asarray(sized, np.float32)

    def _bend(self, points: Floats) -> Floats:
        """How far points (n, 2) of the em are moved; smooth, and another way every time."""
        rng = self._rng
        waves = rng.normal(0, 5, (2, 4)).astype(np.float32)
        phases = rng.uniform(0, 6.28, 4).astype(np.float32)
        sway = rng.normal(0, 0.004 + 0.016 * self._wild, (4, 2)).astype(np.float32)
        return np.asarray(np.sin(points @ waves + phases) @ sway, np.float32)


def draw(lines: list[Lines], width: float, height: int, across: int) -> Floats:
    """How far ink covers each pixel (0-1) of a canvas (SCALE * height, SCALE * across).

    `width`: of the line where the pen is pressed as usual, in pixels of the image. Crossings are
    a little thicker, light strokes thinner and paler, as wet ink has it.
    """
    high, wide = SCALE * height, SCALE * across
    laid = np.zeros(high * wide)
    for part in lines:
        columns, rows = np.floor(part.points).astype(np.intp).T
        inside = (columns >= 0) & (columns < wide) & (rows >= 0) & (rows < high)
        laid += np.bincount(
            rows[inside] * wide + columns[inside], part.weights[inside], minlength=high * wide
        )
    blur = 0.45 * SCALE * width
    levels = np.minimum(laid * _FULL, 255).astype(np.uint8).reshape(high, wide)
    spread = Image.fromarray(levels).filter(ImageFilter.GaussianBlur(blur))
    middle = _FULL / (blur * np.sqrt(2 * np.pi))
    cover = (np.asarray(spread, np.float32) / middle - _EDGE) * 2.5 + 0.5
    return np.asarray(np.clip(cover, 0, 1), np.float32)
