"""TIFF directories: what a TIFF file, or the EXIF of another one, says of itself.

Read here and not by Pillow, which copies the value of every tag that it meets: 65,535 tags that all
point to the same megabytes are hundreds of gigabytes.
"""

from __future__ import annotations

import struct
from itertools import zip_longest
from mmap import mmap
from typing import Final, NamedTuple

from model.errors import ImageUnreadable
from model.limits import CHARACTER, MAX_SEGMENTS, MAX_TIMES_READ, Limits

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

# Its tables lie where further tags say, which nothing else has.
_OLD_JPEG: Final = 6


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
    """The first directory of a TIFF or BigTIFF, or that of a further ``page``.

    Raises:
        struct.error: the bytes are no such directory, or end within it.
    """

    def __init__(self, data: bytes | mmap, limits: Limits = CHARACTER, page: int = 0) -> None:
        self._data, self._limits = data, limits
        if data[:2] not in {b"II", b"MM"}:
            raise struct.error("neither II nor MM")
        self._order = "<" if data[:2] == b"II" else ">"
        self._big = b"+" in data[2:4]
        offset, count, entry = ("Q", "Q", "HHQQ") if self._big else ("I", "H", "HHII")
        self._offset, self._count = (struct.Struct(self._order + form) for form in (offset, count))
        self._entry = struct.Struct(self._order + entry)
        (start,) = self._offset.unpack_from(data, 8 if self._big else 4)
        for _ in range(page):
            start = self._after(start)
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

    def _after(self, start: int) -> int:
        """Where the directory begins that follows the one there; 0 behind the last."""
        (length,) = self._count.unpack_from(self._data, start)
        (following,) = self._offset.unpack_from(
            self._data, start + self._count.size + length * self._entry.size
        )
        return int(following)

    def pages(self, most: int) -> int:
        """How many directories there are, one behind the other; ``most`` + 1 if there are more."""
        (start,) = self._offset.unpack_from(self._data, 8 if self._big else 4)
        count = 0
        while start and count <= most:
            start, count = self._after(start), count + 1
        return count

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
        refuse_above = self._limits.refuse_above
        refuse_above(self._limits.pixels, width * height, "pixels")
        rows = min(self.number(_ROWS_PER_STRIP, height), height)
        across = max(1, self.number(_TILE_WIDTH, width))
        down = max(1, self.number(_TILE_HEIGHT, rows))
        planes = self.number(SAMPLES, 1) if self.number(PLANAR, 1) == _SEPARATE else 1
        layer = -(-width // across) * -(-height // down)
        unpacked = layer * across * down
        refuse_above(self._limits.unpacked_pixels, unpacked, "pixels in its strips or tiles")
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
        self._limits.refuse_above(MAX_TIMES_READ * len(self._data), size, "bytes of tags")
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

    def alone(self) -> bytes:
        """A file of this picture alone, as small as it can be."""
        if self.number(COMPRESSION, 1) == _OLD_JPEG:
            return self.rewritten()
        kind, form = (16, "Q") if self._big else (4, "I")
        body = bytearray(16 if self._big else 8)
        values = {
            tag: (field.kind, field.values, self._data[field.at : field.at + field.size])
            for tag, field in self._fields.items()
        }
        for places, lengths in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
            moved = []
            for start, size in zip_longest(
                self.numbers(places), self.numbers(lengths)[: len(self.numbers(places))]
            ):
                moved.append(len(body))
                # As libtiff: up to the end of the file.
                body += self._data[start : start + size if size else len(self._data)]
            if moved:
                packed = struct.pack(f"{self._order}{len(moved)}{form}", *moved)
                values[places] = (kind, len(moved), packed)
        entries = []
        for tag, (kind_, count, packed) in sorted(values.items()):
            place = packed.ljust(self._offset.size, b"\0")
            if len(packed) > self._offset.size:
                body += bytes(len(body) % 2)
                place = self._offset.pack(len(body))
                body += packed
            head = struct.pack(f"{self._order}HH{form}", tag, kind_, count)
            entries.append(head + place)
        body += bytes(len(body) % 2)
        start_at = 8 if self._big else 4
        body[: start_at + self._offset.size] = self._data[:start_at] + self._offset.pack(len(body))
        return b"".join(
            [bytes(body), self._count.pack(len(entries)), *entries, self._offset.pack(0)]
        )


def page_count(data: bytes | mmap, most: int) -> int:
    """How many pictures a TIFF has, one behind the other; ``most`` + 1 if there are more.

    Raises:
        ImageUnreadable: it is cut off or damaged.
    """
    try:
        return Directory(data).pages(most)
    except struct.error as error:
        raise ImageUnreadable("the TIFF is cut off or damaged. Send the whole file.") from error


def orientation(exif: bytes) -> int:
    """How EXIF says that the picture lies, 1 to 8; 1 is upright, and what is said of none."""
    try:
        return Directory(exif.removeprefix(b"Exif\0\0")).number(ORIENTATION, 1)
    except struct.error:
        return 1
