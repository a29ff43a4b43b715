"""Leaves: the pages of a document, each a file of its own."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pypdfium2

from model.containers import HEAD_BYTES, TIFFS, is_pdf
from model.documents import opened
from model.errors import ImageUnreadable
from model.limits import SHEET
from model.tiff import Directory, page_count

# What was looked at of a PDF stays in memory while it is open.
_PAGES_OF_AN_OPEN_PDF: Final = 16


class Leaves:
    """Those of a PDF or TIFF. A page is taken out as it is stored: nothing is drawn or decoded."""

    def __init__(self, source: bytes | Path, most: int) -> None:
        """``source``: the file, which may be larger than the memory; it has ``most`` pages.

        Raises:
            ImageUnreadable: it cannot be opened, or has more pages or none.
            OSError: it cannot be read.
        """
        self._source = source
        with ExitStack() as stack:
            head = _head(source)
            if is_pdf(head):
                self.count = len(stack.enter_context(opened(source)))
                self._is_pdf = True
            elif head.startswith(TIFFS):
                self.count = page_count(stack.enter_context(_mapped(source)), most)
                self._is_pdf = False
            else:
                raise ImageUnreadable("it is neither a PDF nor a TIFF.")
        if self.count > most:
            raise ImageUnreadable(f"the file has more than {most:,} pages. Send it in several.")
        if not self.count:
            raise ImageUnreadable("the file has no page. Send another one.")

    def __iter__(self) -> Iterator[bytes | ImageUnreadable]:
        """Each page, or why it cannot be taken out."""
        return self._pdfs() if self._is_pdf else self._tiffs()

    def _pdfs(self) -> Iterator[bytes | ImageUnreadable]:
        for first in range(0, self.count, _PAGES_OF_AN_OPEN_PDF):
            with opened(self._source) as document:
                for page in range(first, min(first + _PAGES_OF_AN_OPEN_PDF, self.count)):
                    yield _leaf(document, page)

    def _tiffs(self) -> Iterator[bytes | ImageUnreadable]:
        for page in range(self.count):
            try:
                with _mapped(self._source) as data:
                    directory = Directory(data, SHEET, page)
                    directory.refuse_costly()
                    yield directory.alone()
            except struct.error:
                yield ImageUnreadable("the page is cut off or damaged. Send the whole file.")
            except ImageUnreadable as error:
                yield error


def _leaf(document: pypdfium2.PdfDocument, page: int) -> bytes | ImageUnreadable:
    alone = pypdfium2.PdfDocument.new()
    stream = io.BytesIO()
    try:
        alone.import_pages(document, [page])
        alone.save(stream)
    except pypdfium2.PdfiumError as error:
        return ImageUnreadable(f"the page is damaged ({error}). Send it as a picture.")
    finally:
        alone.close()
    return stream.getvalue()


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as stream:
        return stream.read(HEAD_BYTES)


@contextmanager
def _mapped(source: bytes | Path) -> Iterator[bytes | mmap.mmap]:
    if isinstance(source, bytes):
        yield source
        return
    with (
        source.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        yield data
