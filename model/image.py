"""Decoding: from the bytes a caller sent to the pixels a network reads.

Training and serving decode with this one function, so both see the same pixels.
The steps follow the contest service: decode, RGB, resize to the input size.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from model.errors import ImageUnreadable

# Decoders of obscure formats are attack surface, and nobody scans forms to them.
FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")

# Read from the header before a pixel is decoded: a few kilobytes can declare gigapixels.
MAX_PIXELS: Final = 16_000_000

# Everything Pillow and its codecs are known to raise on damaged input.
_DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def decode(data: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Decode one picture and squeeze it to the input size.

    The first frame counts, EXIF rotation is applied, transparency becomes white paper,
    16-bit grey is scaled down to 8 bits, CMYK and palettes become RGB.

    Args:
        data: the file's bytes, in one of ``FORMATS``.
        height: rows of the result, pixels.
        width: columns of the result, pixels.

    Returns:
        uint8 array of shape (height, width, 3), RGB, 0-255.

    Raises:
        ImageUnreadable: not a picture, damaged, or larger than ``MAX_PIXELS``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageUnreadable(
                    f"the image is {image.width} x {image.height} pixels; "
                    f"at most {MAX_PIXELS:,} pixels are read. Send the cropped character."
                )
            image.load()
            upright = ImageOps.exif_transpose(image)
            small = _to_rgb(upright).resize((width, height), Image.Resampling.BILINEAR)
    except _DECODER_ERRORS as error:
        raise ImageUnreadable(
            f"the image cannot be decoded ({type(error).__name__}). "
            f"Send one complete file of {', '.join(FORMATS)}."
        ) from error
    return np.asarray(small, dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode Pillow decodes to, as RGB on white."""
    if image.mode.startswith("I"):
        image = _scaled_to_8_bits(image)
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no defined white")
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        paper = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(paper, layers).convert("RGB")
    return image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion of 16-bit grey clips at 255, which turns paper and ink white."""
    wide = np.asarray(image.convert("I"), dtype=np.int64)
    return Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
