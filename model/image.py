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
from PIL import Image, TiffImagePlugin

from model import tiff
from model.containers import JPEG, bare
from model.errors import ImageUnreadable
from model.limits import CHARACTER, MAX_JPEG_SCANS, Limits

# Decoders of obscure formats are attack surface, and nobody scans forms to them.
FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")

# Telephones send HEIC and AVIF. Their headers do not bound what decoding costs: the coded picture
# inside has a size of its own.
_TELEPHONES: Final = frozenset(
    [b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"]
)

_SCAN, _END = b"\xff\xda", b"\xff\xd9"

# Unlike in their first bits and in what they mean to a Huffman decoder.
_FILLERS: Final = (b"\0", b"\xfe", b"\xaa", b"\x55", b"\x93\x6c\xd1", b"\x37\xc8\x1b")

# What brings a picture upright that lies as EXIF says.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(data: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Decode one picture, the first of its file, and squeeze it to the input size.

    Args:
        data: the file's bytes, in one of ``FORMATS``.
        height: rows of the result, pixels.
        width: columns of the result, pixels.

    Returns:
        uint8 array of shape (height, width, 3), RGB, 0-255.

    Raises:
        ImageUnreadable, MemoryError, OSError: as ``upright`` does.
    """
    return squeezed(upright(data), height, width)


def squeezed(picture: Image.Image, height: int, width: int) -> npt.NDArray[np.uint8]:
    """An RGB picture as a network of that input size reads it: uint8 (height, width, 3)."""
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.uint8)


def upright(data: bytes, limits: Limits = CHARACTER, page: int = 0) -> Image.Image:
    """Decode one picture in its own size, RGB on white, its top up.

    The first frame counts, of a TIFF that of the ``page``; EXIF rotation is applied, transparency
    becomes white paper, deeper grey is scaled down to 8 bits, CMYK and palettes become RGB. Other
    metadata is not looked at. Pillow's warnings are dropped: they are about the caller's file, and
    the caller gets an answer or an error.

    Raises:
        ImageUnreadable: not a picture, damaged, or costlier to decode than a scan can be.
        MemoryError, OSError: the machine's trouble, which says nothing about the picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _upright(data, limits, page)
    except (ImageUnreadable, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageUnreadable(
            f"the image has several times as many pixels as are read, at most {limits.pixels:,}"
        ) from error
    except Exception as error:  # on damaged input decoders raise nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if _out_of_memory(error):
            raise MemoryError("the decoder got no memory") from error
        raise ImageUnreadable(
            f"the image cannot be decoded ({type(error).__name__}). "
            f"Send one complete file of {', '.join(FORMATS)}."
        ) from error


def _out_of_memory(error: Exception) -> bool:
    """Pillow's decoders report that as an OSError like those of damaged files."""
    return isinstance(error, OSError) and str(error).startswith(
        ("out of memory", "decoder error -9")
    )


def _upright(data: bytes, limits: Limits, page: int) -> Image.Image:
    if data[4:8] == b"ftyp" and data[8:12] in _TELEPHONES:
        raise ImageUnreadable(
            "the image is HEIC or AVIF, which are not read. "
            f"Send it as one of {', '.join(FORMATS)}; telephones export JPEG."
        )
    picture = bare(data, limits, page)
    image = (_jpeg if data.startswith(JPEG) else _loaded)(picture.data, limits)
    turn = _TURNS.get(picture.orientation or tiff.orientation(image.info.get("exif", b"")))
    upright = _to_rgb(image, picture.negative)
    return upright if turn is None else upright.transpose(turn)


def _loaded(data: bytes, limits: Limits) -> Image.Image:
    """The pixels as they are stored, if their number is in bounds."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        limits.refuse_above(limits.pixels, image.width * image.height, "pixels")
        image.load()
        return image


def _jpeg(data: bytes, limits: Limits) -> Image.Image:
    """A JPEG; one that lacks its end marker is whole if nothing that may follow changes it.

    libjpeg makes up what is cut off, and tells nobody; what it makes up depends on the bytes
    that come instead.
    """
    limits.refuse_above(MAX_JPEG_SCANS, data.count(_SCAN), "scans")
    if data.rfind(_END) > data.rfind(_SCAN):
        return _loaded(data, limits)
    cut = data.removesuffix(_END[:1])
    image, *others = (_loaded(cut + filler * 64 + _END, limits) for filler in _FILLERS)
    if any(image.tobytes() != other.tobytes() for other in others):
        raise ImageUnreadable("the JPEG is cut off. Send the whole file.")
    return image


def _to_rgb(image: Image.Image, negative: bool) -> Image.Image:
    """Any mode Pillow decodes to, as RGB on white."""
    if image.mode in {"I", "F"}:
        raise ImageUnreadable(
            "the image has 32-bit pixels, which have no defined white. Send 8 or 16 bits."
        )
    if image.mode.startswith("I;16"):
        image = _shallow(image, negative)
    if image.mode == "La":  # Pillow turns it into nothing but LA
        image = image.convert("LA")
    colour = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(colour, tuple) and max(colour) > 255:  # noqa: PLR2004
        # Pillow halves the depth of the pixels and forgets the transparent colour.
        image.info["transparency"] = tuple(level >> 8 for level in colour)
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        paper = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(paper, layers).convert("RGB")
    return image.convert("RGB")


def _shallow(image: Image.Image, negative: bool) -> Image.Image:
    """Deep grey as 8 bits. Pillow's own conversion clips at 255: paper and ink turn white."""
    bits = 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(tiff.BITS, (bits,))[0]
    deep = np.asarray(image)
    levels = (deep >> (bits - 8)).astype(np.uint8)
    if negative:
        levels = ~levels
    if "transparency" in image.info:
        levels[deep == image.info["transparency"]] = 255
    return Image.fromarray(levels)
