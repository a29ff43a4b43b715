"""Contact sheets: many small images with a caption under each, for a person to look over."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

from model.training.errors import DataError

COLUMNS, GAP, TEXT = 12, 4, 13
SUFFIXES = (".ttf", ".ttc", ".otf")
INSTALLED = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
)
Images = npt.NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    images: Sequence[Images], captions: Sequence[str], fonts: Path | None = None
) -> Image.Image:
    """A sheet of images uint8 (s, s, 3), twelve in a row, each with its caption below.

    The captions are drawn with the font of the folder `fonts`, or of those installed, that has most
    of their characters; what it lacks is written as a code point, U+5FB7.
    Raises DataError when the folder has no font that can be read.
    """
    font, known = _font({*"".join(captions)}, fonts)
    side = images[0].shape[0]
    wide, high = side + GAP, side + GAP + TEXT + GAP
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (GAP + COLUMNS * wide, GAP + rows * high), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = GAP + place % COLUMNS * wide, GAP + place // COLUMNS * high
        sheet.paste(Image.fromarray(np.asarray(image)), (left, top))
        pen.text((left, top + side + 1), spelled(caption, known), "black", font=font)
    return sheet


def spelled(text: str, known: set[str]) -> str:
    """The text with every character that is not `known` as its code point."""
    return "".join(each if each in known else f"U+{ord(each):04X}" for each in text)


def _font(wanted: set[str], folder: Path | None) -> tuple[Font, set[str]]:
    """The font that draws most of the characters, and which of all it draws."""
    faces = list(_faces(folder or INSTALLED))
    if folder and not faces:
        raise DataError(f"{folder}: no font that can be read ({', '.join(SUFFIXES)})")
    ascii_only = {each for each in wanted if each.isascii()}
    path, drawn = max(faces, key=lambda face: len(wanted & face[1]), default=(None, set()))
    if path is None or not ascii_only <= drawn:
        return ImageFont.load_default(TEXT - 2), ascii_only
    return ImageFont.truetype(path, TEXT), drawn


def _faces(folders: Path | Sequence[Path]) -> Iterator[tuple[Path, set[str]]]:
    """Every font file below the folders with the characters it has; others are passed over."""
    for folder in (folders,) if isinstance(folders, Path) else folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in SUFFIXES:
                continue
            try:
                with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
                    yield path, set(map(chr, tables.getBestCmap() or {}))
            except (OSError, TTLibError):
                continue
