"""Depth, polarity and metadata: what the file says of its pixels, and what never fails them."""

from __future__ import annotations

import errno
import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms, ImageFile

from model.errors import ImageUnreadable
from model.image import decode
from tests.model.pictures import chunk, encoded, jpeg, marked, tiff_of
from tests.model.test_image import UPPER_LEFT, quarters

WIDTH, HEIGHT = 40, 60
LEVELS = np.asarray(marked("L")).astype(int)


def packed(levels: npt.NDArray[np.int_], bits: int) -> bytes:
    """Levels of 0 to 255 in rows of ``bits`` a pixel; two bytes come in Intel's order."""
    deep = levels * (2**bits - 1) // 255
    if bits == 16:
        return deep.astype("<u2").tobytes()
    spread = (deep[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(spread.reshape(HEIGHT, -1).astype(np.uint8), axis=1).tobytes()


@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "deflated"])
@pytest.mark.parametrize("photometric", [0, 1], ids=["white is zero", "black is zero"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_grey_tiffs_of_any_depth_and_polarity(
    bits: int, photometric: int, compression: int
) -> None:
    data = packed(LEVELS if photometric else 255 - LEVELS, bits)
    size = {256: (WIDTH,), 257: (HEIGHT,), 258: (bits,), 277: (1,), 278: (HEIGHT,)}
    kind = {259: (compression,), 262: (photometric,), 273: (), 279: ()}

    picture = tiff_of(size | kind, zlib.compress(data) if compression > 1 else data)

    assert quarters(picture) == UPPER_LEFT


@pytest.mark.parametrize("photometric", [0, 1])
def test_motorola_s_order_of_bytes(photometric: int) -> None:
    data = ((LEVELS if photometric else 255 - LEVELS) * 257).astype(">u2").tobytes()
    tags = {256: WIDTH, 257: HEIGHT, 258: 16, 259: 1, 262: photometric, 273: 8, 277: 1}
    tags |= {278: HEIGHT, 279: len(data)}
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack(">2sHI", b"MM", 42, 8 + len(data))

    picture = head + data + struct.pack(">H", len(tags)) + entries + bytes(4)

    assert quarters(picture) == UPPER_LEFT


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"])
def test_faxes_of_both_polarities(compression: str, photometric: int) -> None:
    tags = {262: photometric}

    data = encoded(marked("1"), "TIFF", compression=compression, tiffinfo=tags)

    assert quarters(data) == UPPER_LEFT


def lab() -> Image.Image:
    srgb, space = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(marked(), srgb, space, outputMode="LAB")
    assert image is not None
    return image


def test_other_colour_spaces() -> None:
    assert quarters(encoded(lab(), "TIFF")) == UPPER_LEFT
    assert quarters(encoded(marked("YCbCr"), "TIFF")) == UPPER_LEFT
    assert quarters(encoded(marked("YCbCr"), "TIFF", compression="jpeg")) == UPPER_LEFT


def test_grey_with_premultiplied_alpha_lies_on_white() -> None:
    pixels = np.stack([0 * LEVELS, 255 - LEVELS], axis=-1).astype(np.uint8)
    size = {256: (WIDTH,), 257: (HEIGHT,), 258: (8, 8), 277: (2,), 278: (HEIGHT,)}
    kind = {259: (1,), 262: (1,), 338: (1,), 273: (), 279: ()}

    assert quarters(tiff_of(size | kind, pixels.tobytes())) == UPPER_LEFT


PAPER_COLOUR = 0x1234


@pytest.mark.parametrize(
    ("colour_type", "channels", "transparent"),
    [(0, 1, 1), (2, 3, 3), (0, 1, 0), (2, 3, 0)],
    ids=["grey, transparent", "colours, transparent", "grey", "colours"],
)
def test_pngs_of_sixteen_bits(colour_type: int, channels: int, transparent: int) -> None:
    paper = PAPER_COLOUR if transparent else 65_535
    rows = np.repeat(np.where(LEVELS > 0, paper, 0)[..., None], channels, axis=-1).astype(">u2")
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour_type, 0, 0, 0)
    colour = struct.pack(f">{transparent}H", *[PAPER_COLOUR] * transparent)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))

    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    picture += chunk(b"tRNS", colour) if transparent else b""
    picture += chunk(b"IDAT", data) + chunk(b"IEND", b"")

    assert quarters(picture) == UPPER_LEFT


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"", b"\0", b"MM", b"II*\0\xff\xff\xff\xff", b"nonsense" * 9])
def test_broken_exif_fails_no_picture(file_format: str, exif: bytes) -> None:
    data = encoded(marked(), file_format, exif=b"Exif\0\0" + exif)

    assert quarters(data) == UPPER_LEFT


def test_the_first_picture_of_several_is_turned_as_its_own_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = marked().transpose(Image.Transpose.ROTATE_90)

    data = encoded(stored, "MPO", save_all=True, append_images=[stored], exif=exif)

    assert quarters(data) == UPPER_LEFT


@pytest.mark.parametrize("content", [b"", b"MM\0*\0\0\0\x08\xff\xff", b"nonsense"])
def test_a_broken_list_of_pictures_fails_none(content: bytes) -> None:
    assert quarters(jpeg(b"MPF\0" + content, marker=0xE2)) == UPPER_LEFT


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_may_lack_its_end_marker_and_no_more(progressive: bool) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (60, 40), np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", progressive=progressive)

    whole = decode(data, 60, 40).tolist()

    assert decode(data[:-1], 60, 40).tolist() == decode(data[:-2], 60, 40).tolist() == whole
    for missing in range(3, 40):
        try:
            assert decode(data[:-missing], 60, 40).tolist() == whole
        except ImageUnreadable:
            continue
        assert missing == 3  # the last byte of a scan may be padding alone


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_what_telephones_send_is_refused_by_name(brand: bytes) -> None:
    with pytest.raises(ImageUnreadable, match=r"HEIC or AVIF.*telephones export JPEG"):
        decode(b"\0\0\0\x18ftyp" + brand + bytes(100), 9, 9)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (MemoryError(), MemoryError),
        (OSError("out of memory when reading image file"), MemoryError),
        (OSError("decoder error -9"), MemoryError),
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (OSError(errno.EMFILE, "Too many open files"), OSError),
    ],
)
def test_the_machine_s_trouble_is_no_verdict_on_the_picture(
    trouble: Exception, told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: ImageFile.ImageFile) -> None:
        raise trouble

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)

    with pytest.raises(told):
        decode(encoded(marked(), "PNG"), 9, 9)


def test_a_decoder_s_complaint_about_the_file_is_a_verdict() -> None:
    stream = io.BytesIO(encoded(marked(), "PNG"))

    with pytest.raises(ImageUnreadable):
        decode(stream.getvalue()[:-60], 9, 9)
