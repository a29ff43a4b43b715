"""Decoding hostile files: a picture or a refusal, soon, and nothing else."""

from __future__ import annotations

import contextlib
import tracemalloc
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from model.errors import ImageUnreadable
from model.image import FORMATS, decode
from model.limits import MAX_JPEG_SCANS, MAX_PIXELS
from tests.model.pictures import bmp, chunk, encoded, gif, jpeg, marked, png, tiff, webp

SIDE = 16


def decode_or_refuse(data: bytes) -> None:
    """Anything but a picture of the size asked for or ImageUnreadable fails the test."""
    with contextlib.suppress(ImageUnreadable):
        assert decode(data, SIDE, SIDE).shape == (SIDE, SIDE, 3)


BOMBS = [
    png(50_000, 50_000),
    png(4_001, 1_000),
    png(2**31 - 1, 1),
    bmp(8_000, 8_000),
    bmp(2**31 - 1, 2**31 - 1),
    gif(8_000, 8_000),
    gif(65_535, 65_535),
    tiff(9_000, 9_000),
    tiff(60_000, 60_000),
    tiff(2**32 - 1, 1),
    encoded(Image.new("L", (4_001, 1_000)), "WEBP", lossless=True),
    webp(16_384, 16_384),
]


@pytest.mark.parametrize("data", BOMBS, ids=lambda data: f"{data[:4]!r}{len(data)}")
def test_a_bomb_is_refused_by_its_header(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[ImageFile.ImageFile] = []
    for kind in (ImageFile.ImageFile, TiffImagePlugin.TiffImageFile, WebPImagePlugin.WebPImageFile):
        monkeypatch.setattr(kind, "load", decoded.append)

    with pytest.raises(ImageUnreadable, match=r"pixels|DecompressionBombError"):
        decode(data, SIDE, SIDE)
    assert decoded == []


def test_too_many_pixels_are_counted_for_the_caller() -> None:
    with pytest.raises(ImageUnreadable, match=rf"4,001,000 pixels; at most {MAX_PIXELS:,}"):
        decode(png(4_001, 1_000), SIDE, SIDE)


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_bomb_beside_the_pixels_is_refused_or_left_packed(name: bytes) -> None:
    keyword = b"key\0\1\0\0\0" if name == b"iTXt" else b"key\0\0"
    bomb = chunk(name, keyword + png_stream(50_000_000))
    tracemalloc.start()
    try:
        decode_or_refuse(png(10, 10, bomb, pixels=b"\0" * 110))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def png_stream(size: int) -> bytes:
    """Zeros, deflated."""
    return png(1, 1, pixels=b"\0" * size)[41:-16]


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    """Each is of a few bytes and costs a pass over all pixels."""
    with pytest.raises(ImageUnreadable, match="scans"):
        decode(jpeg(scans=MAX_JPEG_SCANS), SIDE, SIDE)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(*[b"Exif\0\0II*\0\x08\0\0\0".ljust(60_000, b"\0")] * 90),
        png(10, 10, chunk(b"eXIf", b"II*\0\x08\0\0\0".ljust(6_000_000, b"\0")), pixels=b"\0" * 110),
    ],
    ids=["jpeg", "png"],
)
def test_endless_exif_is_not_parsed_by_pillow(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(Image.Exif, "load", lambda _, exif: parsed.append(exif))

    decode(data, SIDE, SIDE)

    assert parsed == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello",
        encoded(marked(), "ICO"),
        encoded(marked(), "PPM"),
        encoded(marked(), "EPS"),
        encoded(marked(), "PDF"),
        encoded(marked(), "TGA"),
        encoded(marked(), "JPEG2000"),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100,
        b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + b"\0" * 100,
    ],
    ids=lambda data: repr(data[:8]),
)
def test_what_is_no_picture_of_these_formats_is_refused(data: bytes) -> None:
    with pytest.raises(ImageUnreadable, match="JPEG, PNG, BMP, GIF, TIFF, WEBP"):
        decode(data, SIDE, SIDE)


def samples() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    small = marked(size=(20, 30))
    plain = {name.lower(): encoded(small, name) for name in FORMATS}
    return plain | {
        "jpeg, exif": encoded(small, "JPEG", exif=exif, progressive=True),
        "jpeg, cmyk": encoded(small.convert("CMYK"), "JPEG"),
        "jpeg, two": encoded(small, "MPO", save_all=True, append_images=[small]),
        "png, exif": encoded(small, "PNG", exif=exif),
        "png, palette": encoded(small.convert("P"), "PNG", transparency=0),
        "png, frames": encoded(small, "PNG", save_all=True, append_images=[marked("L", (20, 30))]),
        "tiff, jpeg": encoded(small, "TIFF", compression="jpeg"),
        "tiff, fax": encoded(small.convert("1"), "TIFF", compression="group4"),
        "webp, exif": encoded(small, "WEBP", exif=exif),
    }


SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_anywhere_is_read_or_refused(name: str) -> None:
    data = SAMPLES[name]

    for length in range(0, len(data), max(1, len(data) // 200)):
        decode_or_refuse(data[:length])


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "gif", "tiff, fax", "webp"])
def test_half_a_file_is_refused(name: str) -> None:
    with pytest.raises(ImageUnreadable):
        decode(SAMPLES[name][: len(SAMPLES[name]) // 2], SIDE, SIDE)


@settings(max_examples=1_500, deadline=None)
@given(
    data=st.sampled_from(sorted(SAMPLES.values())).map(bytearray),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=9),
)
def test_a_file_with_flipped_bits_is_read_or_refused(
    data: bytearray, flips: list[tuple[float, int]]
) -> None:
    for place, byte in flips:
        data[int(place**2 * len(data))] = byte

    decode_or_refuse(bytes(data))


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([data[:24] for data in SAMPLES.values()] + [b""]),
    rest=st.binary(max_size=400),
)
def test_random_bytes_are_read_or_refused(start: bytes, rest: bytes) -> None:
    decode_or_refuse(start + rest)


def noisy() -> bytes:
    """Twice the same dots per inch: Pillow warns that one was expected."""
    return tiff(10, 10, (282, 5, 2, 500), (283, 5, 2, 500))


def test_what_pillow_warns_of_is_no_error_and_no_noise() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        decode(noisy(), SIDE, SIDE)
    assert heard == []

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(noisy(), SIDE, SIDE)


@pytest.mark.parametrize("make", [noisy, lambda: SAMPLES["jpeg"][:200], lambda: png(9_000, 9_000)])
def test_decoding_leaves_no_trace_in_the_process(make: Callable[[], bytes]) -> None:
    def state() -> tuple[object, ...]:
        limits = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
        return (
            ImageFile.LOAD_TRUNCATED_IMAGES,
            Image.MAX_IMAGE_PIXELS,
            limits,
            list(warnings.filters),
        )

    before = state()

    decode_or_refuse(make())

    assert state() == before
