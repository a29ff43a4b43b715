"""The pages of a document as files of their own: the same pictures, and nothing beside them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from model.documents import Document, pictured
from model.errors import ImageUnreadable
from model.image import upright
from model.leaves import Leaves
from tests.model.test_documents import file_of

COLOUR, FAX = "RGB", "1"
PAGES = 3


def tiff(mode: str = COLOUR, **options: object) -> bytes:
    """Pages of noise, so that no byte of them may be lost."""
    pages = [Image.effect_noise((173, 91), 90).convert(mode) for _ in range(PAGES)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], **options)
    return stream.getvalue()


TIFFS = [
    tiff(),
    tiff(big_tiff=True),
    tiff(compression="jpeg"),
    tiff(compression="tiff_lzw", big_tiff=True),
    tiff(FAX, compression="group3"),
    tiff(FAX, compression="group4"),
    tiff(FAX, compression="group4", tiffinfo={278: 8}),
]


@pytest.mark.parametrize("data", TIFFS)
@pytest.mark.parametrize("from_file", [False, True], ids=["bytes", "file"])
def test_a_page_of_a_tiff_is_the_same_picture_in_its_part_of_the_bytes(
    data: bytes, from_file: bool, tmp_path: Path
) -> None:
    path = tmp_path / "document"
    path.write_bytes(data)
    whole = Document(data, PAGES)

    leaves = list(Leaves(path if from_file else data, PAGES))

    assert len(leaves) == PAGES
    for number, leaf in enumerate(leaves):
        assert isinstance(leaf, bytes)
        alone = Document(leaf, 1)
        assert alone.picture(0).tobytes() == whole.picture(number).tobytes()
        assert len(leaf) < len(data) / 2


def test_a_page_of_a_tiff_lies_as_it_did() -> None:
    data = tiff(tiffinfo={274: 6})
    first = next(iter(Leaves(data, PAGES)))
    assert isinstance(first, bytes)
    assert upright(first).size == (91, 173)


def test_a_page_of_a_pdf_is_drawn_as_before(tmp_path: Path) -> None:
    data = file_of("PDF", (360, 360))
    (tmp_path / "document").write_bytes(data)
    whole = Document(data, PAGES)
    for number, leaf in enumerate(Leaves(tmp_path / "document", PAGES)):
        assert isinstance(leaf, bytes)
        assert Document(leaf, 1).picture(0).tobytes() == whole.picture(number).tobytes()


def test_a_pdf_of_more_pages_than_are_open_at_once() -> None:
    first, *others = (Image.new("1", (20 + 5 * number, 9)) for number in range(40))
    stream = io.BytesIO()
    first.save(stream, "PDF", resolution=200, save_all=True, append_images=others)
    leaves = list(Leaves(stream.getvalue(), 40))
    widths = [Document(leaf, 1).picture(0).width for leaf in leaves if isinstance(leaf, bytes)]
    assert len(widths) == 40
    assert widths == sorted(set(widths))


def test_what_is_wrong_with_a_page_is_told_in_its_place() -> None:
    data = bytearray(tiff())
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    (second,) = struct.unpack_from("<I", data, start + 2 + 12 * entries)
    # Its width, which is its first tag.
    struct.pack_into("<HHII", data, second + 2, 256, 4, 1, 2**31)
    first, broken, last = Leaves(bytes(data), PAGES)
    assert "pixels" in str(broken)
    assert isinstance(first, bytes)
    assert isinstance(last, bytes)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (file_of("PDF"), "more than 2 pages"),
        (file_of("TIFF"), "more than 2 pages"),
        (b"%PDF-1.7", "cannot be opened"),
        (b"II*\0\0\0\0\0", "cut off or damaged"),
        (b"GIF89a", "neither a PDF nor a TIFF"),
    ],
)
def test_what_is_no_such_document_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageUnreadable, match=why):
        Leaves(data, 2)


def test_who_reads_pictures_alone_is_given_one_of_a_pdf() -> None:
    stream = io.BytesIO()
    Image.new("L", (1400, 1400)).save(stream, "PDF", resolution=72)
    drawn = upright(pictured(stream.getvalue()))
    assert 3_900_000 < drawn.width * drawn.height <= 4_000_000
    assert pictured(b"GIF89a") == b"GIF89a"
