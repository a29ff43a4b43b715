"""Inputs: the images in what a job brings: an image, a PDF, a zip, a tar, a CSV of the contest's.

All of it is a stranger's. What is wrong with one image is that item's result; what is wrong with a
file as a whole ends the job. Nothing is written here, and no name becomes a path.
"""

from __future__ import annotations

import base64
import binascii
import csv
import errno
import hashlib
import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from model.archive import TarReader
from model.errors import BundleInvalid, ImageUnreadable, printable
from workers.contract.contents import Found
from workers.contract.job import Input
from workers.faults import LONGEST_ID, InputRefused, wrong
from workers.names import decoded, is_litter, name_of
from workers.pages import pages

# Each is a row in a database, and the list of a zip lies in memory.
MAX_ENTRIES: Final = 100_000
# In a zip's list: 46 bytes, a name, and what is extra.
_MAX_LIST_BYTES: Final = MAX_ENTRIES * 300
# A tar has at least one header for each.
_MAX_HEADER_BYTES: Final = MAX_ENTRIES * 512 * 4

# Images are packed already; what unpacks to so many times its size is none.
MAX_GROWTH: Final = 20
# A small file may grow by more.
_ALWAYS_BYTES: Final = 200_000_000

_PIECE: Final = 1 << 18
_ENCRYPTED: Final = 1

_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP: Final = b"\x1f\x8b"
_USTAR, _USTAR_AT = b"ustar", 257
_END_OF_ZIP: Final = b"PK\x05\x06"
# Of a zip with more files or bytes than the first form of it has room for.
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_IMAGE: Final = "image_64_encoded"
_IDS: Final = ("id", "esun_uuid")


class Inputs:
    """Finds the images. ``max_image_bytes``: larger ones are not read."""

    def __init__(self, max_image_bytes: int) -> None:
        self._max_image_bytes = max_image_bytes

    def find(self, number: int, input_: Input, path: Path) -> Iterator[Found | None]:
        """The images in one input, always in the same order; None for each file that is litter.

        Raises:
            InputRefused: it is damaged, empty, or larger than such a file may be.
            OSError: it cannot be read.
        """
        found = {
            "image": self._image,
            "pdf": self._image,
            "zip": self._archive,
            "csv": self._table,
            "upload": self._any,
        }[input_.kind]
        count, size = 0, 0
        most = max(_ALWAYS_BYTES, MAX_GROWTH * path.stat().st_size)
        for each in found(number, input_, path):
            count, size = count + 1, size + (len(each.data) if each else 0)
            if count > MAX_ENTRIES:
                raise InputRefused(f"it has more than {MAX_ENTRIES:,} files. Send it in several.")
            if size > most:
                raise InputRefused(
                    f"it unpacks to more than {most:,} bytes, {MAX_GROWTH} times its size. Send "
                    "images as they are."
                )
            yield each

    def _image(self, number: int, input_: Input, path: Path) -> Iterator[Found | None]:
        id_ = input_.id or str(number)
        with path.open("rb") as stream:
            read = self._read(number, id_, stream.read)
        yield from self._each(read, path)

    def _any(self, number: int, input_: Input, path: Path) -> Iterator[Found | None]:
        """An upload: what it is, its first bytes tell."""
        with path.open("rb") as stream:
            head = stream.read(4_096)
        if _is_archive(head):
            return self._archive(number, input_, path)
        if _IMAGE.encode() in head.partition(b"\n")[0]:
            return self._table(number, input_, path)
        return self._image(number, input_, path)

    def _archive(self, number: int, _: Input, path: Path) -> Iterator[Found | None]:
        with path.open("rb") as stream:
            head = stream.read(512)
            stream.seek(0)
            if not _is_archive(head):
                raise InputRefused("it is neither a zip nor a tar. Send one of them, or an image.")
            find = self._zip if head.startswith(_ZIP) else self._tar
            yield from find(number, stream)

    def _zip(self, number: int, stream: BinaryIO) -> Iterator[Found | None]:
        _refuse_long_list(stream)
        try:
            with zipfile.ZipFile(stream) as archive:
                _refuse_list_within(archive)
                for entry in archive.infolist():
                    if not entry.is_dir():
                        yield from self._each(self._zipped(number, archive, entry))
        except InputRefused:
            raise
        except Exception as error:
            raise InputRefused(f"the zip is damaged: {_of_the_file(error)}") from error

    def _zipped(
        self, number: int, archive: zipfile.ZipFile, entry: zipfile.ZipInfo
    ) -> Found | None:
        name = name_of(entry)
        if is_litter(name):
            return None
        if stat.S_ISLNK(entry.external_attr >> 16):
            return wrong(number, name, "it is a link. Send the file itself.")
        if entry.flag_bits & _ENCRYPTED:
            return wrong(number, name, "it is encrypted. Send it without a password.")
        # Others unpack without a bound.
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            return wrong(
                number, name, "it is packed by something else than deflate. Send it as it is."
            )
        try:
            with archive.open(entry) as stream:
                return self._read(number, name, stream.read)
        except Exception as error:  # noqa: BLE001 - what is not of the file is raised again
            return wrong(number, name, f"it is damaged: {_of_the_file(error)}")

    def _tar(self, number: int, stream: BinaryIO) -> Iterator[Found | None]:
        reader = TarReader("the tar", stream, _MAX_HEADER_BYTES)
        try:
            for entry in reader.entries(others=True):
                name = decoded(entry.name.encode("utf-8", "surrogateescape"))
                if entry.isdir():
                    continue
                if not entry.isfile():
                    yield wrong(number, name, "it is a link or a device. Send the file itself.")
                    continue
                left = entry.size

                def read(size: int) -> bytes:
                    nonlocal left
                    piece = reader.read_some(min(size, left))
                    if left and not piece:
                        raise InputRefused("the tar ends in the middle of a file")
                    left -= len(piece)
                    return piece

                yield from self._each(None if is_litter(name) else self._read(number, name, read))
                while left:
                    read(_PIECE)
                reader.skip_to_block(entry.size)
        except BundleInvalid as error:
            raise InputRefused(str(error)) from error

    def _table(self, number: int, _: Input, path: Path) -> Iterator[Found | None]:
        # Of the largest image in base64, wrapped and quoted.
        csv.field_size_limit(self._max_image_bytes * 3 // 2)
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                reader = csv.DictReader(stream)
                columns = reader.fieldnames or ()
                if _IMAGE not in columns:
                    raise InputRefused(
                        f"the CSV has no column {_IMAGE}. Its first row must name the columns."
                    )
                name = next(filter(columns.__contains__, _IDS), None)
                # As a spreadsheet counts: the names are row 1.
                for row, fields in enumerate(reader, start=2):
                    id_ = (fields[name] if name else None) or f"row-{row}"
                    yield from self._each(self._row(number, id_, fields[_IMAGE]))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputRefused(f"the CSV is damaged: {printable(error)}") from error

    def _row(self, number: int, id_: str, text: str | None) -> Found:
        try:
            data = base64.b64decode("".join((text or "").split()), validate=True)
        except (binascii.Error, ValueError):
            return wrong(number, id_, f"{_IMAGE} is not base64.")
        return self._read(number, id_, io.BytesIO(data).read)

    def _each(self, found: Found | None, source: Path | None = None) -> Iterator[Found | None]:
        """What was found, or the pages of it; ``source`` is its file, where it has one."""
        if found is None:
            yield None
            return
        try:
            leaves = pages(source or found.data)
        except ImageUnreadable as error:
            yield wrong(found.input, found.id, str(error))
            return
        if leaves is None:
            yield found
            return
        for page, leaf in enumerate(leaves, start=1):
            # As an address names a page of a PDF (RFC 8118).
            name = f"{found.id[: LONGEST_ID - 20]}#page={page}"
            if isinstance(leaf, bytes):
                yield self._read(found.input, name, io.BytesIO(leaf).read)
            else:
                yield wrong(found.input, name, str(leaf))

    def _read(self, number: int, id_: str, read: Callable[[int], bytes]) -> Found:
        data = bytearray()
        while piece := read(_PIECE):
            data += piece
            if len(data) > self._max_image_bytes:
                limit = f"{self._max_image_bytes:,}"
                return wrong(number, id_, f"the image is over {limit} bytes. Send a smaller one.")
        digest = hashlib.sha256(data).hexdigest()
        if not data:
            return wrong(number, id_, "the image is empty.")
        return Found(number, id_[:LONGEST_ID], digest, bytes(data))


def _is_archive(head: bytes) -> bool:
    """By its first 512 bytes, or more."""
    return head.startswith((*_ZIP, _GZIP)) or head[_USTAR_AT:].startswith(_USTAR)


def _of_the_file(error: Exception) -> str:
    """What is wrong with a zip, of which Python says it by nearly any exception.

    Raises what the machine is to blame for.
    """
    # A place before the file's beginning is an invalid argument.
    is_disk = isinstance(error, OSError) and error.errno != errno.EINVAL
    if is_disk or isinstance(error, MemoryError):
        raise error
    return printable(error)


def _refuse_list_within(archive: zipfile.ZipFile) -> None:
    """Of one that was cut off, the last list that is left may be that of a zip within it."""
    begins = [entry.header_offset for entry in archive.infolist()]
    if begins and min(begins) > 0:
        raise InputRefused("the zip is cut off. Send the whole file.")


def _refuse_long_list(stream: BinaryIO) -> None:
    """A zip's list is read whole: how long it is stands at its end, before a comment."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - (1 << 16) - 22))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(_END_OF_ZIP)
    if at < 0:
        raise InputRefused("the zip is cut off. Send the whole file.")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    if length > _MAX_LIST_BYTES or tail[:at][-_LOCATOR_BYTES:].startswith(_LOCATOR):
        raise InputRefused(f"the zip has more than {0xFFFE:,} files or 4 GB. Send it in several.")
