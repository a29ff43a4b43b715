"""Characters drawn with fonts onto the paper and in the ink of real images.

Characters outside the label list teach `isnull` what writing it must refuse. Characters of the
list are drawn with the same fonts, so that the look of a font alone tells nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

from model.training.errors import DataError

CELLS = 3
SPANS = (0.72, 1.25)
WHITE = 0.3
SUFFIXES = (".ttf", ".ttc", ".otf")
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Face:
    """One font: what it draws of the list, as class indexes, and what beyond the list."""

    font: ImageFont.FreeTypeFont
    listed: tuple[int, ...]
    foreign: tuple[str, ...]


class Glyphs:
    """Draws characters of the list and common characters outside it."""

    def __init__(self, folder: Path, labels: tuple[str, ...], size: int) -> None:
        """Every font file below `folder`, for images of `size` x `size` pixels.

        Raises DataError when there is none, or one that cannot be read or that draws nothing of
        the list.
        """
        self._labels, self._size = labels, size
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise DataError(f"{folder}: no font files ({', '.join(SUFFIXES)})")
        foreign = common_characters() - set(labels)
        self._faces = [self._face(path, foreign) for path in paths]

    def listed(self, paper: Images, rng: np.random.Generator) -> tuple[Images, int]:
        """An image like `paper` (size, size, 3) of a character of the list, and its class index."""
        face = self._faces[rng.integers(len(self._faces))]
        target = face.listed[rng.integers(len(face.listed))]
        return self._draw(self._labels[target], face, paper, rng), target

    def foreign(self, paper: Images, rng: np.random.Generator) -> Images:
        """An image like `paper` (size, size, 3) of a character outside the list."""
        face = self._faces[rng.integers(len(self._faces))]
        return self._draw(face.foreign[rng.integers(len(face.foreign))], face, paper, rng)

    def _face(self, path: Path, foreign: set[str]) -> Face:
        try:
            font = ImageFont.truetype(path, round(self._size * 0.72))
            with TTFont(path, fontNumber=0, lazy=True) as tables:
                drawn = set(map(chr, tables.getBestCmap() or {}))
        except (OSError, TTLibError) as error:
            raise DataError(f"cannot read the font {path}: {error}") from error
        listed = tuple(
            index
            for index, label in enumerate(self._labels)
            if label in drawn and font.getmask(label).getbbox()  # some fonts map to empty outlines
        )
        others = tuple(sorted(foreign & drawn))
        if not listed or not others:
            raise DataError(f"{path}: a font without characters of the list, or with no others")
        return Face(font, listed, others)

    def _draw(self, character: str, face: Face, paper: Images, rng: np.random.Generator) -> Images:
        """The character in the middle, in the ink of `paper` and on its rulings."""
        size = self._size
        mask = Image.new("L", (size, size), 0)
        ImageDraw.Draw(mask).text(
            (size / 2, size / 2),
            character,
            255,
            face.font,
            anchor="mm",
            stroke_width=float(rng.uniform(0, 1.5)),
        )
        mask = _bent(mask, rng)
        cover = np.asarray(mask, np.float32)[:, :, None] / 255 * rng.uniform(0.7, 1)
        ink = np.percentile(paper[::3, ::3].reshape(-1, 3), rng.uniform(1, 8), axis=0)
        rows = np.percentile(paper[:, ::4], 80, axis=1)[:, None, :]
        if rng.random() < WHITE:
            rows = np.full((size, 1, 3), rng.uniform(225, 255))
        drawn = rows + cover * (ink - rows)
        drawn += 3 * rng.standard_normal(paper.shape, np.float32)
        return np.clip(drawn, 0, 255).astype(np.uint8)


def common_characters() -> set[str]:
    """The frequent characters of the Traditional (Big5) and Simplified (GB 2312) standards."""
    return set(_decoded("big5", range(0xA4, 0xC7))) | set(_decoded("gb2312", range(0xB0, 0xD8)))


def _decoded(encoding: str, leads: Iterable[int]) -> list[str]:
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    pairs = (bytes((lead, trail)) for lead in leads for trail in trails)
    decoded = (pair.decode(encoding, errors="ignore") for pair in pairs)
    return [text for text in decoded if len(text) == 1 and "\u4e00" <= text <= "\u9fff"]


def _bent(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The square picture stretched about its middle, moved, and bent in a mesh of 3 x 3 cells.

    Hands differ from a font, and from each other, in the proportions of a character's parts.
    """
    size = mask.width
    line = np.linspace(0, size, CELLS + 1)
    nodes = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)  # x, y by column, row
    span = rng.uniform(*SPANS) * rng.uniform(0.85, 1.18, 2)
    sources = size / 2 + (nodes - size / 2) * span
    sources += rng.normal(0, 0.03 * size, nodes.shape) + rng.normal(0, 0.03 * size, 2)
    mesh = []
    for column in range(CELLS):
        for row in range(CELLS):
            box = (*nodes[column, row].astype(int), *nodes[column + 1, row + 1].astype(int))
            corners = ((0, 0), (0, 1), (1, 1), (1, 0))
            quad = [value for x, y in corners for value in sources[column + x, row + y]]
            mesh.append((tuple(map(int, box)), tuple(map(float, quad))))
    return mask.transform((size, size), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
