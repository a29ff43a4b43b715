"""A contact sheet of the stream: its first images in rows, each in its own width."""

import io
from pathlib import Path

from PIL import Image

from model.training.errors import DataError
from model.training.synthesis.stream import HEIGHT, Stream

WIDTH, ROWS, GAP = 1000, 9, 5
COLOURS = 256


def save_sheet(stream: Stream, path: Path) -> None:
    """Write the sheet as a PNG file; raises DataError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = _sheet(stream)
        beside = path.with_name(f".{path.name}.part")
        sheet.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(beside, "PNG", optimize=True)
        beside.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error}") from error


def _sheet(stream: Stream) -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, GAP + ROWS * (HEIGHT + GAP)), "white")
    left, row, number = GAP, 0, 0
    while row < ROWS:
        with Image.open(io.BytesIO(stream.made(number).jpeg)) as picture:
            if left + picture.width + GAP > WIDTH:
                left, row = GAP, row + 1
            else:
                sheet.paste(picture, (left, GAP + row * (HEIGHT + GAP)))
                left, number = left + picture.width + GAP, number + 1
    return sheet
