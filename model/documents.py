"""Documents: the pages of a file, one picture each."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pypdfium2
from PIL import Image

from model.containers import TIFFS, is_pdf
from model.errors import ImageUnreadable
from model.image import upright
from model.limits import CHARACTER, SHEET, Limits
from model.tiff import page_count

# A PDF's pages are drawn as if they had been scanned so, and smaller where that is too large.
PDF_DPI: Final = 200
_POINTS_PER_INCH: Final = 72


class Document:
    """A file of one or more pages."""

    def __init__(self, data: bytes, most: int, limits: Limits = SHEET) -> None:
        """``most``: so many pages are read of a file; ``limits`` are those of a page.

        Raises:
            ImageUnreadable: the file has more pages, none, or is a PDF that cannot be opened.
        """
        self._data, self._limits = data, limits
        self._is_pdf = is_pdf(data)
        if self._is_pdf:
            with opened(data) as document:
                self.pages = len(document)
        elif data.startswith(TIFFS):
            self.pages = page_count(data, most)
        else:
            self.pages = 1
        if self.pages > most:
            raise ImageUnreadable(
                f"the file has more than {most} pages. Send its pages by themselves."
            )
        if not self.pages:
            raise ImageUnreadable("the file has no page. Send another one.")

    def picture(self, page: int) -> Image.Image:
        """A page, from 0 on, RGB on white and upright.

        Raises:
            ImageUnreadable, MemoryError, OSError: as ``model.image.upright`` does.
        """
        if not self._is_pdf:
            return upright(self._data, self._limits, page)
        try:
            with opened(self._data) as document:
                drawn = document[page]
                inches = [side / _POINTS_PER_INCH for side in drawn.get_size()]
                dpi = min(PDF_DPI, math.sqrt(self._limits.pixels / max(math.prod(inches), 1e-9)))
                picture: Image.Image = drawn.render(scale=dpi / _POINTS_PER_INCH).to_pil()
                return picture.convert("RGB")
        except (pypdfium2.PdfiumError, ValueError) as error:
            raise ImageUnreadable(
                f"page {page + 1} of the PDF cannot be drawn ({error}). Send it as a picture."
            ) from error


def pictured(data: bytes) -> bytes:
    """The first page of a PDF as a PNG, for whoever reads pictures alone; others as they are.

    Raises:
        ImageUnreadable: it cannot be opened or drawn.
    """
    if not is_pdf(data):
        return data
    stream = io.BytesIO()
    # What fits exactly may be rounded up.
    limits = replace(CHARACTER, pixels=CHARACTER.pixels * 99 // 100)
    Document(data, most=1, limits=limits).picture(0).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


@contextmanager
def opened(source: bytes | Path) -> Iterator[pypdfium2.PdfDocument]:
    """A PDF, for as long as the block takes; raises ImageUnreadable if it is none."""
    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        raise ImageUnreadable(
            f"the PDF cannot be opened ({error}). Send it whole, and without a password."
        ) from error
    try:
        yield document
    finally:
        document.close()
