"""Crops of sheets for training: every time another part, scale and light."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from model.detection import GROUND, LONG
from model.training.errors import DataError
from model.training.pages.targets import targets
from model.training.synthesis.chance import happens

Floats = npt.NDArray[np.float32]
SIDE = 448


class Crops:
    """Pictures with a JSON of their truth beside them, as ``Stream`` draws them."""

    def __init__(self, folder: Path) -> None:
        """Raises DataError when there is none."""
        self._folder = folder
        self._listed()

    def batch(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Pictures (count, SIDE, SIDE, 3), 0-255, and their targets; two of each sheet."""
        made: list[tuple[Floats, Floats]] = []
        pictures = self._listed()
        while len(made) < count:
            path = pictures[rng.integers(len(pictures))]
            picture, boxes = read(path)
            picture, boxes = _scaled(picture, boxes, rng)
            made += [_crop(picture, boxes, rng) for _ in range(2)]
        seen, wanted = zip(*made[:count], strict=True)
        return np.stack(seen), np.stack(wanted)

    def _listed(self) -> list[Path]:
        """Looked up anew: more may be drawn while the training runs."""
        found = [path for path in sorted(self._folder.glob("*.jpg")) if _truth(path).exists()]
        if not found:
            raise DataError(f"{self._folder}: no pictures <name>.jpg with their truth beside them")
        return found


def read(path: Path) -> tuple[Image.Image, tuple[Floats, Floats]]:
    """A sheet, and the boxes of its handwriting and of its print (n, 4)."""
    truth = json.loads(_truth(path).read_text("utf-8"))
    written = [c["box"] for line in truth["lines"] for c in line["characters"]]
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        return picture.convert("RGB"), (_array(written), _array(truth["ignore"]))


def _truth(path: Path) -> Path:
    return path.with_suffix(".json")


def _array(boxes: list[list[float]]) -> Floats:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _scaled(
    picture: Image.Image, boxes: tuple[Floats, Floats], rng: np.random.Generator
) -> tuple[Image.Image, tuple[Floats, Floats]]:
    """About as large as the detector will see it."""
    usual = min(1.0, LONG / max(picture.size))
    scale = usual * float(np.exp(rng.uniform(np.log(0.7), np.log(1.5))))
    size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
    written, printed = boxes
    small = picture.resize(size, Image.Resampling.BILINEAR)
    if happens(0.15, rng):
        small = small.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1))))
    return small, (written * np.float32(scale), printed * np.float32(scale))


def _crop(
    picture: Image.Image, boxes: tuple[Floats, Floats], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    written, printed = boxes
    aim = written if len(written) and happens(0.75, rng) else printed
    if len(aim) and happens(0.9, rng):
        middle = aim[rng.integers(len(aim)), :2] + rng.uniform(-0.4, 0.4, 2) * SIDE
    else:
        middle = rng.uniform(0, 1, 2) * picture.size
    left, top = (int(value) - SIDE // 2 for value in middle)
    pixels = np.full((SIDE, SIDE, 3), GROUND, np.float32)
    seen = picture.crop(
        (
            max(0, left),
            max(0, top),
            min(picture.width, left + SIDE),
            min(picture.height, top + SIDE),
        )
    )
    x, y = max(0, -left), max(0, -top)
    if seen.width > 0 and seen.height > 0:
        pixels[y : y + seen.height, x : x + seen.width] = _lit(np.asarray(seen, np.float32), rng)
    moved = np.array([left, top, 0, 0], np.float32)
    return pixels, targets((written - moved, printed - moved), SIDE, SIDE)


def _lit(pixels: Floats, rng: np.random.Generator) -> Floats:
    """In another light, or without colours."""
    if happens(0.2, rng):
        pixels = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    shade = (pixels / 255) ** np.float32(np.exp(rng.normal(0, 0.25)))
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.05, 3))
    return np.asarray(np.clip(shade * gain * 255 + rng.normal(0, 10), 0, 255), np.float32)
