"""Documents: the pages of pictures, TIFFs and PDFs, and what is refused of them."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from model.documents import Document
from model.errors import ImageUnreadable
from model.image import upright
from tests.model.graphs import BLUE, GREEN, RED

COLOURS = (RED, GREEN, BLUE)


def file_of(kind: str, size: tuple[int, int] = (80, 120), **options: object) -> bytes:
    """Three pages, each of a colour."""
    first, *others = (Image.new("RGB", size, colour) for colour in COLOURS)
    stream = io.BytesIO()
    first.save(stream, kind, save_all=True, append_images=others, **options)
    return stream.getvalue()


def near(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    middle = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(middle, tuple)
    return all(abs(a - b) < 12 for a, b in zip(middle, colour, strict=True))


@pytest.mark.parametrize("kind", ["TIFF", "PDF"])
def test_every_page_has_its_picture(kind: str) -> None:
    document = Document(file_of(kind), most=3)

    assert document.pages == 3
    assert all(near(document.picture(n), colour) for n, colour in enumerate(COLOURS))


def test_a_fax_of_several_pages_is_read_page_by_page() -> None:
    pages = [Image.new("1", (64, 64), shade) for shade in (0, 1)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], compression="group4")
    document = Document(stream.getvalue(), most=2)
    assert [document.picture(n).getpixel((9, 9)) for n in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


def test_a_pdf_is_drawn_as_if_it_were_scanned_and_no_larger_than_a_scan_may_be() -> None:
    # Pillow makes a point of a pixel unless it is told how many are an inch.
    assert Document(file_of("PDF", (720, 360)), most=3).picture(0).size == (2000, 1000)
    huge = Document(file_of("PDF", (1400, 1400), resolution=10), most=3).picture(0)
    assert 39_000_000 < huge.width * huge.height < 40_100_000


def test_a_scan_of_more_pixels_than_a_character_may_have_is_read() -> None:
    stream = io.BytesIO()
    Image.new("1", (3000, 2000)).save(stream, "PNG")
    with pytest.raises(ImageUnreadable, match="Send the cropped character"):
        upright(stream.getvalue())

    assert Document(stream.getvalue(), most=1).picture(0).size == (3000, 2000)


def test_more_pixels_than_a_scan_has_are_not() -> None:
    stream = io.BytesIO()
    Image.new("1", (8001, 5000)).save(stream, "PNG")
    with pytest.raises(ImageUnreadable, match="at most 40,000,000 are read"):
        Document(stream.getvalue(), most=1).picture(0)


@pytest.mark.parametrize("kind", ["TIFF", "PDF"])
def test_more_pages_than_are_read_are_refused(kind: str) -> None:
    with pytest.raises(ImageUnreadable, match="more than 2 pages"):
        Document(file_of(kind), most=2)


def test_a_tiff_whose_pages_go_round_in_a_circle_ends() -> None:
    data = bytearray(file_of("TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * entries, start)
    with pytest.raises(ImageUnreadable, match="more than 5 pages"):
        Document(bytes(data), most=5)


def test_an_upright_picture_is_what_exif_says() -> None:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40)).save(stream, "JPEG", exif=exif)
    assert Document(stream.getvalue(), most=1).picture(0).size == (40, 80)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%PDF-1.7 and nothing more", "the PDF cannot be opened"),
        (file_of("PDF")[:300], "the PDF cannot be opened|has no page"),
        (file_of("TIFF")[:200], "cut off or damaged"),
        (b"II*\0\0\0\0\0", "cut off or damaged"),
    ],
    ids=["no pdf", "half a pdf", "half a tiff", "no page"],
)
def test_what_is_damaged_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageUnreadable, match=why):
        Document(data, most=3)


def test_what_is_no_file_of_these_kinds_is_refused() -> None:
    with pytest.raises(ImageUnreadable, match="cannot be decoded"):
        Document(b"no picture", most=1).picture(0)
