"""An archive: a bundle as one file, a tar, packed by gzip or not.

``TarFile`` takes a damaged header for the end, and what follows an end for nothing; it follows
chains of headers by recursion, and reads them whole. So the file is read here, header by header.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from tarfile import (
    AREGTYPE,
    BLOCKSIZE,
    DIRTYPE,
    GNUTYPE_LONGNAME,
    NUL,
    REGTYPE,
    XGLTYPE,
    XHDTYPE,
    HeaderError,
    TarInfo,
)
from typing import BinaryIO, Final

from model.bundle import MANIFEST
from model.errors import BundleInvalid, printable
from model.intake import MAX_BYTES, PIECE, Intake

# Headers with what belongs to them. macOS writes four kinds of them for a file.
MAX_HEADER_BYTES: Final = 8_000_000
# Writers fill up the last record: 10 kB by default, a tape's at most.
MAX_PADDING_BYTES: Final = 1_000_000

_GZIP: Final = b"\x1f\x8b"


def unpack(archive: Path, folder: Path) -> Path:
    """Write the files of an archive below an empty folder; where the bundle's root is then.

    That is the folder, or the only one in it. Of the archive, names and contents count, nothing
    else. After an error the folder holds what came before it.

    Raises:
        BundleInvalid: the archive is none, damaged, larger than a bundle may be, or holds what is
            neither a file nor a folder, or a name that ``Intake`` refuses.
        OSError: the archive cannot be read, or the disk does not take it.
    """
    if not archive.is_file():  # a pipe would be waited for
        raise BundleInvalid(f"{printable(archive)} is missing or not a regular file")
    if archive.stat().st_size > MAX_BYTES:
        raise BundleInvalid(f"{printable(archive)} is larger than {MAX_BYTES:,} bytes")
    intake = Intake(archive, folder)
    with archive.open("rb") as stream:
        reader = TarReader(archive, stream)
        for entry in reader.entries():
            if entry.isdir():
                intake.folder(entry.name)
            else:
                intake.file(entry.name, entry.size, reader.read_some)
                reader.skip_to_block(entry.size)
    return _root(archive, folder)


def _root(archive: Path, folder: Path) -> Path:
    top = list(folder.iterdir())
    if folder / MANIFEST in top or not top:
        return folder
    if len(top) == 1 and top[0].is_dir():
        return top[0]
    raise BundleInvalid(
        f"{printable(archive)}: {MANIFEST} lies neither at the root nor in the only folder there"
    )


class TarReader:
    """The tar inside an archive: header by header, and between them the bytes of files."""

    def __init__(
        self, name: object, stream: BinaryIO, max_header_bytes: int = MAX_HEADER_BYTES
    ) -> None:
        """Errors call the archive by its ``name``."""
        self._archive = printable(name)
        self._max_header_bytes = max_header_bytes
        packed = stream.read(len(_GZIP)) == _GZIP
        stream.seek(0)
        self._pieces: Iterator[bytes] = (
            self._unzipped(stream) if packed else iter(lambda: stream.read(PIECE), b"")
        )
        self._buffer = memoryview(b"")
        self._position = 0  # bytes of the tar that were read
        self._headers = 0  # bytes of headers and what belongs to them

    def entries(self, *, others: bool = False) -> Iterator[TarInfo]:
        """Files and folders under their whole names; a file's bytes are next to be read.

        ``others``: links and devices too, which are refused without it.

        Raises:
            BundleInvalid: the archive is none or damaged, or holds what is refused.
        """
        name: bytes | None = None
        while (entry := self._header()) is not None:
            if entry.type == GNUTYPE_LONGNAME:
                name = self._belonging(entry).removesuffix(NUL)
            elif entry.type in (XHDTYPE, XGLTYPE):
                name = self._extended(entry).get(b"path", name)
            elif entry.type in (REGTYPE, AREGTYPE, DIRTYPE) or (others and not entry.size):
                if name is not None:
                    entry.name = name.decode("utf-8", "surrogateescape")
                    name = None
                if entry.isdir() and entry.size:
                    raise self._refused("is a folder with content", entry)
                yield entry
            else:
                raise self._refused("is neither a file nor a folder", entry)
        if name is not None:
            raise self._refused(f"ends after the name {printable(name.decode(errors='replace'))}")

    def read_some(self, size: int) -> bytes:
        """At least one byte and at most ``size``; none at the end."""
        if not self._buffer:
            self._buffer = memoryview(next(self._pieces, b""))
        piece = bytes(self._buffer[:size])
        self._buffer = self._buffer[size:]
        self._position += len(piece)
        return piece

    def skip_to_block(self, size: int) -> None:
        """Read what fills up the last block of a file of ``size`` bytes."""
        self._read(-size % BLOCKSIZE)

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.read_some(size)
            if not part:
                raise self._refused(f"ends in the middle, after {self._position:,} bytes unpacked")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _count_headers(self, size: int) -> None:
        self._headers += size
        if self._headers > self._max_header_bytes:
            raise self._refused(f"has more than {self._max_header_bytes:,} bytes of headers")

    def _header(self) -> TarInfo | None:
        """None when the archive ends as it should."""
        position = self._position
        self._count_headers(BLOCKSIZE)
        block = self._read(BLOCKSIZE)
        if not block.strip(NUL):
            if self._read(BLOCKSIZE).strip(NUL):
                raise self._refused(f"goes on behind its end, at byte {position:,} unpacked")
            self._end()
            return None
        try:
            entry = TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except HeaderError as error:
            if position:
                raise self._refused(f"is damaged at byte {position:,} unpacked") from error
            raise self._refused("is no tar, packed by gzip or not") from error
        if entry.size < 0:
            raise self._refused("has a size below zero", entry)
        return entry

    def _end(self) -> None:
        """Read on to the file's own end, where gzip's checksum is."""
        padding = 0
        while piece := self.read_some(PIECE):
            padding += len(piece)
            if padding > MAX_PADDING_BYTES or piece.strip(NUL):
                raise self._refused("goes on behind its end")

    def _belonging(self, entry: TarInfo) -> bytes:
        """What an extra header says of the next entry."""
        self._count_headers(entry.size)
        content = self._read(entry.size)
        self.skip_to_block(entry.size)
        return content

    def _extended(self, entry: TarInfo) -> dict[bytes, bytes]:
        """Records of the PAX format: ``LENGTH KEYWORD=VALUE`` and a newline."""
        content = self._belonging(entry)
        records: dict[bytes, bytes] = {}
        start = 0
        while start < len(content):
            length, space, _ = content[start : start + 10].partition(b" ")
            end = start + int(length) if space and length.isdigit() else 0
            keyword, equals, value = content[start + len(length) + 1 : end].partition(b"=")
            if not equals or not value.endswith(b"\n") or end > len(content):
                raise self._refused("has a damaged extended header")
            records[keyword] = value[:-1]
            start = end
        if entry.type == XGLTYPE and b"path" in records:
            raise self._refused("gives one name to all files")
        # Sizes that a header has no room for are refused anyway; a smaller one is a trick.
        if b"size" in records or any(keyword.startswith(b"GNU.sparse") for keyword in records):
            raise self._refused("has a file that is stored sparsely or under two sizes")
        return records

    def _unzipped(self, stream: BinaryIO) -> Iterator[bytes]:
        """All members: what several programs write in a row is one file."""
        packed = stream.read(PIECE)
        while packed:
            if not _GZIP.startswith(packed[: len(_GZIP)]):
                raise self._refused("goes on behind the end of what gzip packed")
            engine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # gzip's header and checksum
            try:
                while not engine.eof:
                    piece = engine.decompress(packed, PIECE)
                    if piece:
                        yield piece
                    packed = engine.unconsumed_tail or (b"" if engine.eof else stream.read(PIECE))
                    if not packed and not piece and not engine.eof:
                        raise self._refused("ends in the middle of what gzip packed")
            except zlib.error as error:
                raise self._refused(f"is damaged: {error}") from error
            packed = engine.unused_data or stream.read(PIECE)

    def _refused(self, why: str, entry: TarInfo | None = None) -> BundleInvalid:
        where = f": {printable(entry.name)}" if entry else ""
        return BundleInvalid(f"{self._archive}{where} {why}")
