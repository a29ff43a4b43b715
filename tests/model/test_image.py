"""Decoding: what becomes of each kind of picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from model.errors import ImageUnreadable
from model.image import FORMATS, decode
from tests.model.pictures import INK, PAPER, encoded, jpeg, marked

SIDE = 16


def quarters(data: bytes) -> list[list[int]]:
    """The colours in the middle of the picture's four quarters, row by row."""
    pixels = decode(data, SIDE, SIDE)
    assert pixels.shape == (SIDE, SIDE, 3)
    assert pixels.dtype == np.uint8
    spots = pixels[SIDE // 4 :: SIDE // 2, SIDE // 4 :: SIDE // 2]
    return [[int(spot.mean()) for spot in row] for row in spots]


def grey(level: int, tolerance: int = 3) -> object:
    return pytest.approx(level, abs=tolerance)


UPPER_LEFT = [[grey(INK), grey(PAPER)], [grey(PAPER), grey(PAPER)]]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_is_read(file_format: str, mode: str) -> None:
    assert quarters(encoded(marked(mode), file_format)) == UPPER_LEFT


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "P"])
def test_two_colours_and_palettes_are_read(file_format: str, mode: str) -> None:
    assert quarters(encoded(marked(mode), file_format)) == UPPER_LEFT


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg", "group4"])
def test_compressed_tiffs_are_read(compression: str) -> None:
    mode = "1" if compression == "group4" else "RGB"

    assert quarters(encoded(marked(mode), "TIFF", compression=compression)) == UPPER_LEFT


def test_colours_are_red_green_blue() -> None:
    data = encoded(Image.new("RGB", (9, 9), (200, 100, 50)), "PNG")

    assert decode(data, 2, 2).tolist() == [[[200, 100, 50]] * 2] * 2


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_paper_is_white(file_format: str) -> None:
    assert quarters(encoded(marked("CMYK"), file_format)) == UPPER_LEFT


def test_a_cmyk_jpeg_is_inverted_with_or_without_adobe_saying_so() -> None:
    data = encoded(marked("CMYK"), "JPEG")
    start = data.index(b"\xff\xeeAdobe"[:2])
    silent = data[:start] + data[start + 16 :]

    assert b"Adobe" in data
    assert b"Adobe" not in silent
    assert quarters(silent) == quarters(data) == UPPER_LEFT


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("level", [0, 255, 256, 16_384, 32_768, 65_535])
def test_sixteen_bits_are_scaled_down_not_cut_off(file_format: str, level: int) -> None:
    image = Image.fromarray(np.full((20, 20), level, np.uint16))

    assert decode(encoded(image, file_format), 2, 2).tolist() == [[[level >> 8] * 3] * 2] * 2


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_known_white_are_refused(mode: str) -> None:
    with pytest.raises(ImageUnreadable):
        decode(encoded(marked(mode), "TIFF"), SIDE, SIDE)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_white_paper(mode: str, file_format: str) -> None:
    """Black all over, and opaque only where the ink is."""
    image = Image.new(mode, (40, 60), 0)
    image.putalpha(ImageOps.invert(marked("L")))

    assert quarters(encoded(image, file_format, lossless=True)) == UPPER_LEFT


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
@pytest.mark.parametrize("mode", ["P", "L"])
def test_a_transparent_colour_is_white_paper(file_format: str, mode: str) -> None:
    """The paper is stored as grey, and declared to be transparent."""
    image = marked("L").point(lambda level: 7 if level else 0)
    if mode == "P":
        image.putpalette([level for step in range(256) for level in (step, step, step)])

    assert quarters(encoded(image, file_format, transparency=7)) == UPPER_LEFT


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_exif_says(file_format: str, orientation: int) -> None:
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = marked()
    if orientation in turned:
        stored = stored.transpose(turned[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert quarters(encoded(stored, file_format, exif=exif)) == UPPER_LEFT


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert quarters(encoded(marked(), "JPEG", exif=exif)) == UPPER_LEFT


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_counts(file_format: str) -> None:
    more = [ImageOps.invert(marked()), marked().transpose(Image.Transpose.ROTATE_180)]

    data = encoded(marked(), file_format, save_all=True, append_images=more)

    assert quarters(data) == UPPER_LEFT


@pytest.mark.parametrize("size", [(1, 1), (1, 67), (524, 67), (67, 1), (2000, 2000)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_any_shape_is_squeezed_to_the_input_size(size: tuple[int, int], file_format: str) -> None:
    data = encoded(Image.new("RGB", size, "white"), file_format)

    pixels = decode(data, 24, 32)

    assert pixels.shape == (24, 32, 3)
    assert pixels.min() == 255


def test_a_photograph_s_exif_and_a_progressive_jpeg_are_nothing_unusual() -> None:
    segment = b"Exif\0\0II*\0\x08\0\0\0".ljust(60_000, b"\0")

    assert quarters(jpeg(segment, scans=20)) == UPPER_LEFT
