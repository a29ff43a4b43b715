"""Decoding: from the bytes a caller sent to the pixels a network reads.

Training and serving decode with this one function; training resizes once more.
The steps follow the contest service: decode, RGB, resize to the input size.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from model.errors import ImageUnreadable

# Decoders of obscure formats are attack surface, and nobody scans forms to them.
FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")

# Read from the header before a pixel is decoded: a few kilobytes can declare gigapixels.
MAX_PIXELS: Final = 4_000_000

# A progressive JPEG has about ten; every scan, of a few bytes, costs a pass over all pixels.
MAX_JPEG_SCANS: Final = 100

# EXIF of one JPEG segment is 64 KiB at most; megabytes of it take seconds to parse.
MAX_EXIF_BYTES: Final = 256 * 1024

_JPEG, _SCAN, _EXIF = b"\xff\xd8", b"\xff\xda", b"Exif\0\0"


def decode(data: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Decode one picture and squeeze it to the input size.

    The first frame counts, EXIF rotation is applied, transparency becomes white paper,
    16-bit grey is scaled down to 8 bits, CMYK and palettes become RGB. Pillow's warnings are
    dropped: they are about the caller's file, and the caller gets an answer or an error.

    Args:
        data: the file's bytes, in one of ``FORMATS``.
        height: rows of the result, pixels.
        width: columns of the result, pixels.

    Returns:
        uint8 array of shape (height, width, 3), RGB, 0-255.

    Raises:
        ImageUnreadable: not a picture, damaged, or costlier to decode than a scan can be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            small = _upright(data).resize((width, height), Image.Resampling.BILINEAR)
    except ImageUnreadable:
        raise
    except Exception as error:  # on damaged input decoders raise nearly anything
        raise ImageUnreadable(
            f"the image cannot be decoded ({type(error).__name__}). "
            f"Send one complete file of {', '.join(FORMATS)}."
        ) from error
    return np.asarray(small, dtype=np.uint8)


def _upright(data: bytes) -> Image.Image:
    """The picture in its own size, RGB on white, its top up."""
    if data.startswith(_JPEG):
        _refuse_above(MAX_JPEG_SCANS, data.count(_SCAN), "scans")
        # Pillow parses EXIF while it opens the file, joined from all segments.
        _refuse_above(MAX_EXIF_BYTES, data.count(_EXIF) << 16, "bytes of EXIF")
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _refuse_above(MAX_PIXELS, image.width * image.height, "pixels")
        _refuse_above(MAX_EXIF_BYTES, len(image.info.get("exif", b"")), "bytes of EXIF")
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))


def _refuse_above(limit: int, found: int, things: str) -> None:
    if found > limit:
        raise ImageUnreadable(
            f"the image has {found:,} {things}; at most {limit:,} are read. "
            "Send the cropped character as a plain file."
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode Pillow decodes to, as RGB on white."""
    if image.mode in {"I", "F"}:
        raise ImageUnreadable(
            "the image has 32-bit pixels, which have no defined white. Send 8 or 16 bits."
        )
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255, which turns paper and ink white.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        paper = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(paper, layers).convert("RGB")
    return image.convert("RGB")
