"""Files whose cost their size does not tell: refused or read in little time and memory.

Each is decoded in a process of its own, whose time and memory end soon.
"""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.model.pictures import (
    chunk,
    crowded,
    encoded,
    jpeg,
    marked,
    png,
    tiff_of,
)

# Imports and a decoded picture of 4 million pixels take about 400 MB of addresses.
ADDRESSES = 1_000_000_000
CPU_S = 10

CHILD = """
import sys
from model.errors import ImageUnreadable
from model.image import decode
try:
    decode(sys.stdin.buffer.read(), 64, 64)
except ImageUnreadable as error:
    print("refused:", error)
else:
    print("read")
"""


def bounded(data: bytes) -> str:
    """What came of a file within bounds; a breach of them fails the test."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))

    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=data,
        capture_output=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=bound,
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]
    return done.stdout.decode()


GREY = {258: (8,), 262: (1,), 277: (1,)}
ZEROS = zlib.compress(bytes(1_000_000))


def tiled(width: int, height: int, tile: tuple[int, int], *tiles: bytes) -> bytes:
    size = {256: (width,), 257: (height,), 259: (8,), 322: (tile[0],), 323: (tile[1],)}
    return tiff_of(GREY | size | {324: (), 325: ()}, *tiles)


def strips_that_share(count: int) -> bytes:
    """Each strip is said to hold the whole file."""
    size = {256: (10,), 257: (count,), 259: (8,), 278: (1,)}
    lengths = (2_000_000,) * count
    return tiff_of(GREY | size | {273: (8,) * count, 279: lengths}, ZEROS.ljust(2_000_000, b"\0"))


def entries_beyond(width: int, height: int, strips: int) -> bytes:
    """Far more strips than the picture has room for."""
    size = {256: (width,), 257: (height,), 259: (1,), 278: (1,)}
    return tiff_of(GREY | size | {273: (8,) * strips, 279: (8,) * strips}, bytes(8))


@pytest.mark.parametrize(
    ("make", "things"),
    [
        (lambda: tiled(4_000_000, 1, (16, 1 << 20), *[ZEROS] * 2_000), "strips or tiles"),
        (lambda: tiled(64, 64, (20_000, 20_000), zlib.compress(bytes(400_000_000))), "tiles"),
        (lambda: strips_that_share(50_000), "bytes in its strips"),
        (lambda: entries_beyond(1, 1_000, 700_000), "strips or tiles"),
    ],
    ids=["tall tiles", "one huge tile", "strips that share", "strips beyond the picture"],
)
def test_a_tiff_that_costs_more_than_its_size_tells_is_refused(make: object, things: str) -> None:
    assert callable(make)
    told = bounded(make())

    assert told.startswith("refused:")
    assert things in told


def test_a_crowded_directory_is_not_copied() -> None:
    """60,000 tags of 5 MB would be 300 GB."""
    assert bounded(crowded(60_000, 5_000_000)).startswith("refused:")


def webp_with(exif: bytes) -> bytes:
    plain = encoded(marked(), "WEBP", exif=b"Exif\0\0" + bytes(8))
    at = plain.index(b"EXIF")
    body = plain[8:at] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", len(body)) + body


# 5,000 tags of 65 kB would be 325 MB, 20,000 of 250 kB 5 GB.
CROWD, LARGE_CROWD = crowded(5_000, 65_000), crowded(20_000, 250_000)


def in_segments(exif: bytes, head: bytes = b"Exif\0\0") -> list[bytes]:
    step = 65_000
    return [head + exif[at : at + step] for at in range(0, len(exif), step)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: jpeg(*in_segments(LARGE_CROWD)),
        lambda: jpeg(*in_segments(CROWD, b"MPF\0")[:1], marker=0xE2),
        lambda: png(10, 10, chunk(b"eXIf", LARGE_CROWD), pixels=bytes(110)),
        lambda: webp_with(LARGE_CROWD),
        lambda: png(10, 10, *[chunk(b"zTXt", b"a\0\0" + ZEROS)] * 200, pixels=bytes(110)),
        lambda: png(10, 10, chunk(b"iCCP", b"a\0\0" + ZEROS * 9), pixels=bytes(110)),
        lambda: png(10, 10, *[chunk(b"fcTL", bytes(26))] * 9, pixels=bytes(110)),
    ],
    ids=["jpeg exif", "jpeg mpf", "png exif", "webp exif", "png text", "png profile", "apng"],
)
def test_costly_or_broken_metadata_is_left_alone(make: object) -> None:
    assert callable(make)
    assert bounded(make()) == "read\n"


def rle_bmp(width: int, height: int, commands: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(commands), 0, 0, 256, 0)
    palette = bytes(1024)
    start = 14 + len(header) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(commands), 0, 0, start)
    return head + header + palette + commands


def gif_of_comments() -> bytes:
    plain = encoded(marked(), "GIF")
    at = 13 + 3 * 2 ** ((plain[10] & 7) + 1)
    return plain[:at] + (b"!\xfe" + (b"\xff" + b"c" * 255) * 20_000 + b"\0") + plain[at:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: rle_bmp(4_000_000, 1, b"\0\2\0\xff" * 100_000),
        lambda: rle_bmp(2_000, 2_000, b"\0\0" * 1_000_000),
        gif_of_comments,
        lambda: encoded(Image.new("CMYK", (2_000, 2_000)), "JPEG", progressive=True),
        lambda: encoded(Image.new("RGBA", (2_000, 2_000)), "WEBP", lossless=True),
        lambda: encoded(Image.new("RGBA", (2_000, 2_000)), "PNG"),
    ],
    ids=["bmp deltas", "bmp line ends", "gif comments", "large jpeg", "large webp", "large png"],
)
def test_every_format_is_bounded_by_its_pixels(make: object) -> None:
    assert callable(make)
    assert bounded(make())
