"""Picture files as callers and attackers make them."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

PAPER, INK = 255, 0


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def marked(mode: str = "RGB", size: tuple[int, int] = (40, 60)) -> Image.Image:
    """White paper, the upper left quarter of it ink: no turn or flip leaves it the same."""
    image = Image.new("L", size, PAPER)
    image.paste(INK, (0, 0, size[0] // 2, size[1] // 2))
    return image.convert(mode)


def png(width: int, height: int, *chunks: bytes, pixels: bytes = b"") -> bytes:
    """An 8-bit grey PNG of any declared size, with what lies inside it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def gif(width: int, height: int) -> bytes:
    """A GIF of one pixel's data that declares any size."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return (
        b"GIF89a"
        + screen
        + struct.pack("<cHHHHB", b",", 0, 0, width, height, 0)
        + (b"\x02\x02\x4c\x01\x00;")
    )


def tiff(width: int, height: int, *entries: tuple[int, int, int, int]) -> bytes:
    """An 8-bit grey TIFF of any declared size; entries are (tag, type, count, value)."""
    directory = sorted(
        [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 1, 400),
            (277, 3, 1, 1),
            (278, 4, 1, height),
            (279, 4, 1, 100),
            *entries,
        ]
    )
    packed = b"".join(struct.pack("<HHII", *entry) for entry in directory)
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(directory)) + packed).ljust(600, b"\0")


def webp(width: int, height: int) -> bytes:
    """A lossless WebP that declares any size up to 16,384."""
    bits = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return (
        b"RIFF"
        + struct.pack("<I", 30)
        + b"WEBPVP8L"
        + struct.pack("<I", 10)
        + (b"\x2f" + bits + b"\0" * 5)
    )


def bmp(width: int, height: int) -> bytes:
    """A bitmap of any declared size without its pixels."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def jpeg(*segments: bytes, marker: int = 0xE1, scans: int = 0) -> bytes:
    """A progressive JPEG with more segments, and its last scan repeated."""
    plain = encoded(marked(), "JPEG", progressive=True)
    last = plain[plain.rindex(b"\xff\xc4", 0, plain.rindex(b"\xff\xda")) : -2]
    extra = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(segment) + 2) + segment for segment in segments
    )
    return plain[:2] + extra + plain[2:-2] + last * scans + plain[-2:]


def tiff_of(fields: dict[int, tuple[int, ...]], *values: bytes) -> bytes:
    """A TIFF whose tags hold these numbers; its strips or tiles are the values, in turn.

    The places and lengths of the values are filled in for a tag that holds nothing.
    """
    places, at = [], 8
    for value in values:
        places.append(at)
        at += len(value)
    filled = {273: places, 324: places, 279: map(len, values), 325: map(len, values)}
    tags = {tag: numbers or tuple(filled[tag]) for tag, numbers in sorted(fields.items())}
    beside = at + at % 2 + 2 + 12 * len(tags) + 4
    directory, rest = struct.pack("<H", len(tags)), b""
    for tag, numbers in tags.items():
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            place = struct.pack("<I", beside + len(rest))
            rest += packed
        else:
            place = packed
        directory += struct.pack("<HHI", tag, 4, len(numbers)) + place
    head = struct.pack("<2sHI", b"II", 42, at + at % 2) + b"".join(values)
    return head.ljust(at + at % 2, b"\0") + directory + bytes(4) + rest


def crowded(tags: int, size: int) -> bytes:
    """A TIFF's directory, or EXIF: many unknown tags, all of which hold the same bytes."""
    entries = b"".join(struct.pack("<HHII", 1_000 + tag, 7, size, 8) for tag in range(tags))
    return (
        struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", tags) + entries + bytes(4)
    ).ljust(size + 8, b"\0")
