"""Files taken apart: the picture without its metadata, and the EXIF beside it.

Pillow unpacks and parses every kind of metadata that it knows, most of it while it opens the file.
Whatever is wrong with it fails the picture, and some of it costs seconds or gigabytes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from model.errors import ImageUnreadable
from model.limits import CHARACTER, Limits
from model.tiff import ORIENTATION, Directory, orientation

JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
TIFFS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Readers of PDF look for its mark in the first kilobyte.
_PDF, HEAD_BYTES = b"%PDF-", 1024

_PIXELS_OF_PNG: Final = frozenset([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])

_SCAN, _EXIF, _ADOBE, _COMMENT = 0xDA, 0xE1, 0xEE, 0xFE
_ALONE: Final = frozenset([0x00, 0x01, *range(0xD0, 0xD9)])
_METADATA: Final = frozenset([*range(0xE1, 0xF0), _COMMENT]) - {_ADOBE}


class Bare(NamedTuple):
    """A picture without metadata, how it lies (EXIF's 1 to 8, 0: not looked for), its polarity."""

    data: bytes
    orientation: int = 0
    negative: bool = False


def is_pdf(data: bytes) -> bool:
    """By the first ``HEAD_BYTES`` of a file, or more."""
    return _PDF in data[:HEAD_BYTES]


def bare(data: bytes, limits: Limits = CHARACTER, page: int = 0) -> Bare:
    """Take a JPEG, PNG or a page of a TIFF apart; any other file stays as it is.

    Raises:
        ImageUnreadable: a TIFF is damaged, or costs more than its size tells.
    """
    if data.startswith(JPEG):
        return _bare_jpeg(data)
    if data.startswith(PNG):
        return _bare_png(data)
    if data.startswith(TIFFS):
        try:
            directory = Directory(data, limits, page)
            directory.refuse_costly()
            return Bare(directory.rewritten(), directory.number(ORIENTATION, 1), directory.negative)
        except struct.error as error:
            raise ImageUnreadable("the TIFF is cut off or damaged. Send the whole file.") from error
    return Bare(data)


def _bare_jpeg(data: bytes) -> Bare:
    """Without application segments but JFIF's and Adobe's, which say what the colours are.

    A telephone's further pictures (MPO, Ultra HDR) are announced in such a segment too.
    """
    kept, exif, at = [JPEG], [], 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        if marker == _SCAN:
            break
        if marker == 0xFF:  # noqa: PLR2004  # a marker may be led by any number of these
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
            if marker not in _METADATA:
                kept.append(data[at:end])
            elif marker == _EXIF and data.startswith(b"Exif\0\0", at + 4):
                exif.append(data[at + 10 : end])
            at = end
    return Bare(b"".join([*kept, data[at:] if at >= 0 else b""]), orientation(b"".join(exif)))


def _bare_png(data: bytes) -> Bare:
    kept, exif, at, name = [PNG], b"", len(PNG), b""
    while at + 8 <= len(data) and name != b"IEND":
        name, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if name in _PIXELS_OF_PNG:
            kept.append(data[at:end])
        elif name == b"eXIf":
            exif = data[at + 8 : end - 4]
        at = end
    return Bare(b"".join(kept), orientation(exif))
