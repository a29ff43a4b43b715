"""Contact sheets: many small images with a caption under each, for a person to look over."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from model.training.judge.lettering import Lettering

COLUMNS, GAP, TEXT = 12, 4, 13
Images = npt.NDArray[np.uint8]


def contact_sheet(
    images: Sequence[Images], captions: Sequence[str], lettering: Lettering
) -> Image.Image:
    """A sheet of images uint8 (s, s, 3), twelve in a row, each with its caption below."""
    path, written = lettering.best(captions)
    font = ImageFont.truetype(path, TEXT)
    side = images[0].shape[0]
    wide, high = side + GAP, side + GAP + TEXT + GAP
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (GAP + COLUMNS * wide, GAP + rows * high), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (image, caption) in enumerate(zip(images, written, strict=True)):
        left, top = GAP + place % COLUMNS * wide, GAP + place // COLUMNS * high
        sheet.paste(Image.fromarray(np.asarray(image)), (left, top))
        pen.text((left, top + side + 1), caption, "black", font=font)
    return sheet
