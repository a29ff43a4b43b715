"""TIFF directories: what a TIFF file, or the EXIF of another one, says of itself.

Read here and not by Pillow, which copies the value of every tag that it meets: 65,535 tags that all
point to the same megabytes are hundreds of gigabytes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from model.limits import (
    MAX_PIXELS,
    MAX_SEGMENTS,
    MAX_TIMES_READ,
    MAX_UNPACKED_PIXELS,
    refuse_above,
)

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, PLANAR = 274, 277, 284
_STRIPS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325

# What pixels depend on: the above, fill order, fax options, predictor, palette, kinds of samples,
# JPEG tables and YCbCr. The rest is metadata, which can only do harm.
_OF_PIXELS: Final = frozenset(
    [
        *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR),
        *(_STRIPS, _ROWS_PER_STRIP, _STRIP_BYTES),
        *(_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES),
        *(266, 292, 293, 317, 320, 332, 338, 339, 347),
        *range(512, 522),
        *range(529, 533),
    ]
)
_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES_OF_BIG: Final = {16: 8, 17: 8, 18: 8}
_NUMBERS: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}
_SEPARATE: Final = 2


class _Field(NamedTuple):
    """One entry: its own bytes, and where its values lie in the file."""

    packed: bytes
    kind: int
    values: int
    at: int

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.values * (_BYTES | _BYTES_OF_BIG).get(self.kind, 0)


class Directory:
    """The first directory of a TIFF or BigTIFF.

    Raises:
        struct.error: the bytes are no such directory, or end within it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        if data[:2] not in {b"II", b"MM"}:
            raise struct.error("neither II nor MM")
        self._order = "<" if data[:2] == b"II" else ">"
        self._big = b"+" in data[2:4]
        offset, count, entry = ("Q", "Q", "HHQQ") if self._big else ("I", "H", "HHII")
        self._offset, self._count = (struct.Struct(self._order + form) for form in (offset, count))
        self._entry = struct.Struct(self._order + entry)
        (start,) = self._offset.unpack_from(data, 8 if self._big else 4)
        (length,) = self._count.unpack_from(data, start)
        start += self._count.size
        # The last of two entries of one tag counts, as it does for Pillow.
        self._fields = {}
        for at in range(start, min(start + length * self._entry.size, len(data)), self._entry.size):
            tag, kind, values, place = self._entry.unpack_from(data, at)
            if tag in _OF_PIXELS or tag == ORIENTATION:
                packed = data[at : at + self._entry.size]
                inline = at + self._entry.size - self._offset.size
                field = _Field(packed, kind, values, place)
                self._fields[tag] = (
                    field._replace(at=inline) if field.size <= self._offset.size else field
                )

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag, none if it is absent or holds something else."""
        field = self._fields.get(tag)
        if field is None or field.kind not in _NUMBERS or field.size > len(self._data):
            return ()
        return struct.unpack_from(
            f"{self._order}{field.values}{_NUMBERS[field.kind]}", self._data, field.at
        )

    def number(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return next(iter(self.numbers(tag)), default)

    @property
    def negative(self) -> bool:
        """Whether white is nought in a picture of more than 8 bits: Pillow minds it up to 8."""
        return self.number(PHOTOMETRIC, 1) == 0 and self.number(BITS, 1) > 8  # noqa: PLR2004

    def refuse_costly(self) -> None:
        """Refuse a file whose decoding costs more than its picture's size tells."""
        width, height = self.number(WIDTH, 0), self.number(HEIGHT, 0)
        refuse_above(MAX_PIXELS, width * height, "pixels")
        rows = min(self.number(_ROWS_PER_STRIP, height), height)
        across = max(1, self.number(_TILE_WIDTH, width))
        down = max(1, self.number(_TILE_HEIGHT, rows))
        planes = self.number(SAMPLES, 1) if self.number(PLANAR, 1) == _SEPARATE else 1
        layer = -(-width // across) * -(-height // down)
        refuse_above(MAX_UNPACKED_PIXELS, layer * across * down, "pixels in its strips or tiles")
        for places, lengths in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
            if places not in self._fields:
                continue
            segments = max(layer * planes, self._fields[places].values)
            refuse_above(MAX_SEGMENTS, segments, "strips or tiles")
            # Where a length is missing or nought, libtiff reads up to the end of the file.
            known = self.numbers(lengths)[:segments]
            packed = sum(length or len(self._data) for length in known)
            packed += (segments - len(known)) * len(self._data)
            if segments > 1:
                limit = MAX_TIMES_READ * len(self._data)
                refuse_above(limit, packed, "bytes in its strips or tiles")

    def rewritten(self) -> bytes:
        """The file with a directory of its pixels' tags alone, and no further picture.

        One that is ``negative`` says the opposite, since Pillow reads few of that kind.
        """
        kept = {tag: self._fields[tag] for tag in sorted(self._fields.keys() & _OF_PIXELS)}
        size = sum(field.size for field in kept.values())
        refuse_above(MAX_TIMES_READ * len(self._data), size, "bytes of tags")
        if self.negative:
            says = struct.pack(
                self._order + ("HHQH6x" if self._big else "HHIH2x"), PHOTOMETRIC, 3, 1, 1
            )
            kept[PHOTOMETRIC] = kept[PHOTOMETRIC]._replace(packed=says)
        at = len(self._data) + len(self._data) % 2
        head = self._data[: 8 if self._big else 4] + self._offset.pack(at)
        return b"".join(
            [
                *(head, self._data[len(head) :].ljust(at - len(head), b"\0")),
                self._count.pack(len(kept)),
                *(field.packed for field in kept.values()),
                self._offset.pack(0),
            ]
        )


def orientation(exif: bytes) -> int:
    """How EXIF says that the picture lies, 1 to 8; 1 is upright, and what is said of none."""
    try:
        return Directory(exif.removeprefix(b"Exif\0\0")).number(ORIENTATION, 1)
    except struct.error:
        return 1
