"""The camera: a sheet as a scanner or a telephone sees it, and where its characters are then."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from model.detection import Box
from model.training.synthesis import paper
from model.training.synthesis.chance import happens

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """How a sheet was seen: the JPEG, its size, and the way from the sheet's pixels to its."""

    jpeg: bytes
    width: int
    height: int
    matrix: Matrix

    def box(self, box: Box) -> Box:
        """Where a box of the sheet is, upright and around all of it."""
        corners = np.array(
            [
                (box.x + i * box.w, box.y + j * box.h, 1.0)
                for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))
            ]
        )
        seen = corners @ self.matrix.T
        xs, ys = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
        return Box(xs.min(), ys.min(), np.ptp(xs), np.ptp(ys))


def scanned(sheet: Image.Image, rng: np.random.Generator) -> View:
    """Flat, hardly turned, evenly lit."""
    turn = float(np.clip(rng.normal(0, 1.2), -4, 4)) if happens(0.9, rng) else rng.uniform(-10, 10)
    ends = _turned(sheet, np.deg2rad(turn), 1.0)
    picture, matrix = _seen(sheet, ends, sheet.size, rng)
    if happens(0.25, rng):
        picture = picture.convert("L").convert("RGB")
    return _kept(picture, matrix, float(rng.gamma(2, 1.2)), rng)


def photographed(sheet: Image.Image, rng: np.random.Generator) -> View:
    """On a desk, seen from aside, with shadows, out of focus."""
    turn = np.deg2rad(rng.normal(0, 3))
    ends = _turned(sheet, turn, float(rng.uniform(0.75, 1.05)))
    ends += rng.normal(0, 0.02 * sheet.height, (4, 2))
    picture, matrix = _seen(sheet, ends, sheet.size, rng)
    pixels = np.asarray(picture, np.float32)
    across, down = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in picture.size))
    light = 1 + rng.normal(0, 0.12) * across + rng.normal(0, 0.12) * down
    if happens(0.6, rng):  # the shadow of a hand or a head
        edge = rng.normal(0, 1) * across + rng.normal(0, 1) * down + rng.normal(0, 0.5)
        # A step that is as soft as the shadow; as tanh it cannot overflow.
        light *= 1 - rng.uniform(0.1, 0.5) * (1 + np.tanh(edge * rng.uniform(1.5, 15))) / 2
    cast = rng.normal(1, 0.05, 3)
    lit = np.clip(pixels * light[..., None] * cast * rng.uniform(0.65, 1.05), 0, 255)
    picture = Image.fromarray(lit.astype(np.uint8))
    blur = float(rng.uniform(0.3, 1.4)) * sheet.height / 1500
    return _kept(
        picture.filter(ImageFilter.GaussianBlur(blur)), matrix, float(rng.gamma(2, 2)), rng
    )


def _turned(sheet: Image.Image, angle: float, size: float) -> Matrix:
    """Where the corners of the sheet are seen (4, 2)."""
    middle = np.array([sheet.width, sheet.height]) / 2
    arms = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * middle * size
    cosine, sine = np.cos(angle), np.sin(angle)
    turned: Matrix = arms @ np.array([[cosine, sine], [-sine, cosine]]) + middle
    return turned


def _seen(
    sheet: Image.Image, ends: Matrix, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Image.Image, Matrix]:
    """The sheet with its corners there, on some desk, and the matrix from it to the picture."""
    begins = np.array([(0, 0), (sheet.width, 0), (sheet.width, sheet.height), (0, sheet.height)])
    forth, back = _homography(begins, ends), _homography(ends, begins)
    coefficients = tuple((back / back[2, 2]).ravel()[:8])
    turned = sheet.transform(
        size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    )
    mask = Image.new("L", sheet.size, 255).transform(
        size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
    )
    desk = rng.uniform(0, 255, 3) if happens(0.6, rng) else paper.colour(paper.PAPERS, rng)
    rough = rng.normal(0, rng.uniform(0, 18), (24, 18, 3)) + desk
    under = Image.fromarray(np.clip(rough, 0, 255).astype(np.uint8))
    below = under.resize(size, Image.Resampling.BICUBIC)
    below.paste(turned, (0, 0), mask)
    return below, forth


def _homography(begins: Matrix, ends: Matrix) -> Matrix:
    rows, wanted = [], []
    for (x, y), (u, v) in zip(begins, ends, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    solved = np.linalg.solve(np.array(rows, float), np.array(wanted, float))
    matrix: Matrix = np.append(solved, 1).reshape(3, 3)
    return matrix


def _kept(picture: Image.Image, matrix: Matrix, noise: float, rng: np.random.Generator) -> View:
    """With the sensor's noise, sharpened or not, as a JPEG."""
    if happens(0.4, rng):
        picture = picture.filter(ImageFilter.UnsharpMask(1.2, int(rng.uniform(30, 150)), 0))
    grain = rng.standard_normal((picture.height, picture.width, 1), np.float32) * np.float32(noise)
    pixels = np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=int(rng.integers(45, 93)))
    return View(data.getvalue(), picture.width, picture.height, matrix)
