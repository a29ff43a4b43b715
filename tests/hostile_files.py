"""What strangers may bring as a job: each file with what is to come of it.

Made in code, so that none of them lies in the repository.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

from PIL import Image, ImageDraw

from tests.model import pictures

# The largest image that the readers of these files take.
LIMIT: Final = 300_000
# A kind of outcome beside the messages: it is read as any other.
READ: Final = "read"


class Hostile(NamedTuple):
    """``kind``: of the input. ``outcomes``: of its items, in turn; READ or a part of the error.

    ``problem``: a part of what is told of the job as a whole, where it cannot be done.
    """

    name: str
    kind: str
    make: Callable[[], bytes]
    outcomes: tuple[str, ...] = ()
    problem: str = ""


def png(shade: int = 0) -> bytes:
    """A small picture."""
    return pictures.encoded(Image.new("L", (20, 20), shade), "PNG")


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = 8) -> bytes:
    """A zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def flagged(data: bytes, flag: int = 1, method: int | None = None) -> bytes:
    """A zip whose files claim to be encrypted, or to be packed in that way."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= flag
            if method is not None:
                struct.pack_into("<H", changed, at + offset + 2, method)
            at = changed.find(mark, at + 4)
    return bytes(changed)


def overlapping() -> bytes:
    """A zip in whose list every file is the first one."""
    data = zipped(*((f"{number}.png", bytes(200_000)) for number in range(3)))
    changed = bytearray(data)
    at = changed.find(b"PK\1\2")
    while at >= 0:
        struct.pack_into("<I", changed, at + 42, 0)
        at = changed.find(b"PK\1\2", at + 4)
    return bytes(changed)


def renamed(name: bytes) -> bytes:
    """A zip of one picture, whose name has these bytes and no mark of UTF-8."""
    data = zipped(("X" * len(name), png()), method=zipfile.ZIP_STORED)
    return data.replace(b"X" * len(name), name)


def damaged(data: bytes, at: int, length: int = 8) -> bytes:
    """Some bytes of it are others."""
    return data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + length]) + data[at + length :]


def zip_link() -> zipfile.ZipInfo:
    """A symbolic link, as Unix packs it."""
    info = zipfile.ZipInfo("1.png")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def tarred(*members: tuple[str | tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    """A tar, or a packed one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def special(kind: bytes, target: str = "") -> bytes:
    """A tar of something that is no file."""
    info = tarfile.TarInfo("1.png")
    info.type, info.linkname = kind, target
    return tarred((info, b""))


def table(*rows: str, names: str = "image_64_encoded", end: str = "\n") -> bytes:
    """A CSV."""
    return end.join((names, *rows, "")).encode()


def pdf(*objects: str, root: int = 1, trailer: str = "") -> bytes:
    """A PDF of these objects, numbered from 1 on."""
    data, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n".encode() + content.encode("latin-1") + b"\nendobj\n"
    start = len(data)
    data += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    data += f"trailer\n<</Size {len(places) + 1} /Root {root} 0 R {trailer}>>\n".encode()
    return bytes(data) + f"startxref\n{start}\n%%EOF\n".encode()


def page_pdf(
    content: str = "", *more: str, box: str = "0 0 72 72", catalog: str = "", page: str = ""
) -> bytes:
    """A PDF of one page; ``more`` objects have numbers from 5 on."""
    return pdf(
        f"<</Type /Catalog /Pages 2 0 R {catalog}>>",
        "<</Type /Pages /Kids [3 0 R] /Count 1>>",
        f"<</Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 4 0 R {page}>>",
        f"<</Length {len(content)}>>\nstream\n{content}\nendstream",
        *more,
    )


def paged_pdf(count: int) -> bytes:
    """A PDF of so many pages."""
    kids = " ".join(f"{number} 0 R" for number in range(3, count + 3))
    page = "<</Type /Page /Parent 2 0 R /MediaBox [0 0 72 72]>>"
    pages = f"<</Type /Pages /Kids [{kids}] /Count {count}>>"
    return pdf("<</Type /Catalog /Pages 2 0 R>>", pages, *[page] * count)


def packed_stream(size: int, head: str) -> str:
    """An object that unpacks to so many bytes."""
    packed = zlib.compress(bytes(size), 9).decode("latin-1")
    return f"<<{head} /Filter /FlateDecode /Length {len(packed)}>>\nstream\n{packed}\nendstream"


def locked_pdf() -> bytes:
    """One that wants a password; its keys are none."""
    key = "<" + "00" * 32 + ">"
    encrypt = f"<</Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O {key} /U {key}>>"
    return pdf(
        "<</Type /Catalog /Pages 2 0 R>>",
        "<</Type /Pages /Kids [3 0 R] /Count 1>>",
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 72 72]>>",
        encrypt,
        trailer=f"/Encrypt 4 0 R /ID [{key} {key}]",
    )


def fax(*sizes: tuple[int, int], **options: object) -> bytes:
    """Pages of black strokes on white, one bit a pixel."""
    pages = []
    for width, height in sizes:
        page = Image.new("1", (width, height), 1)
        ImageDraw.Draw(page).line((2, 2, width - 3, height - 3), fill=0, width=3)
        pages.append(page)
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:], **options)
    return stream.getvalue()


def circle() -> bytes:
    """A TIFF whose only page is followed by itself."""
    data = bytearray(fax((32, 32)))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * entries, start)
    return bytes(data)


def encoded(data: bytes) -> str:
    """As the contest's CSV has it."""
    return base64.b64encode(data).decode()


DAMAGED, CUT, NONE = "damaged", "cut off", "neither a zip nor a tar"
BOMB = "pixels|DecompressionBomb"
UNKNOWN, EMPTY = "cannot be decoded", "no image in it"

ZIPS = (
    Hostile("a zip of zeros", "zip", lambda: zipped(("1.png", bytes(50_000_000))), ("is over",)),
    Hostile(
        "a zip of many zeros",
        *("zip", lambda: zipped(*((f"{n}.png", bytes(290_000)) for n in range(100)))),
        problem="times its size",
    ),
    Hostile("one file under many names", "zip", overlapping, (UNKNOWN, DAMAGED, DAMAGED)),
    Hostile("a zip in a zip", "zip", lambda: zipped(("1.zip", zipped(("1", png())))), (UNKNOWN,)),
    Hostile("encrypted", "zip", lambda: flagged(zipped(("1", png()))), ("encrypted",)),
    Hostile("AES", "zip", lambda: flagged(zipped(("1", png())), 1, 99), ("encrypted",)),
    Hostile("Deflate64", "zip", lambda: flagged(zipped(("1", png())), 0, 9), ("than deflate",)),
    Hostile("bzip2", "zip", lambda: zipped(("1", png()), method=12), ("than deflate",)),
    Hostile("LZMA", "zip", lambda: zipped(("1", png()), method=14), ("than deflate",)),
    Hostile("half a zip", "zip", lambda: zipped(("1", png()))[:60], problem=CUT),
    Hostile("no list", "zip", lambda: zipped(("1", png()))[:-22] + bytes(22), problem=CUT),
    Hostile(
        "a list that is elsewhere",
        *("zip", lambda: damaged(zipped(("1", png())), -6, 4)),
        (DAMAGED,),
    ),
    Hostile(
        "a file that is damaged",
        *("zip", lambda: damaged(zipped(("1", png()), ("2", png())), 40)),
        (DAMAGED, READ),
    ),
    Hostile(
        "of a version to come",
        *(
            "zip",
            lambda: flagged(zipped(("1", png())), 0).replace(
                b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xff"
            ),
        ),
        problem=DAMAGED,
    ),
    Hostile("an empty zip", "zip", zipped, problem=EMPTY),
    Hostile("folders alone", "zip", lambda: zipped(("a/", b""), ("a/b/", b"")), problem=EMPTY),
    Hostile(
        "a desktop's litter alone",
        *("zip", lambda: zipped(("__MACOSX/._1.png", b"?"), (".DS_Store", b"?"))),
        problem=EMPTY,
    ),
    Hostile(
        "litter beside a picture",
        *("zip", lambda: zipped(("__MACOSX/._1.png", b"?"), ("Thumbs.db", b"?"), ("1", png()))),
        (READ,),
    ),
    Hostile("a name in Big5", "zip", lambda: renamed("表單.png".encode("cp950")), (READ,)),
    Hostile("a name of no encoding", "zip", lambda: renamed(b"\xff\xfe\x80.png"), (READ,)),
    Hostile("a name that leads out", "zip", lambda: zipped(("../../etc/1", png())), (READ,)),
    Hostile("a name from the root", "zip", lambda: zipped(("/etc/passwd", png())), (READ,)),
    Hostile("a name with lines", "zip", lambda: renamed(b"a\r\n\x1b[31m\0b"), (READ,)),
    Hostile("a long name", "zip", lambda: zipped(("x" * 60_000, png())), (READ,)),
    Hostile("a link", "zip", lambda: zipped((zip_link(), b"/etc/passwd")), ("a link",)),
    Hostile("an empty file", "zip", lambda: zipped(("1.png", b"")), ("is empty",)),
    Hostile("behind a program", "zip", lambda: b"MZ" + zipped(("1", png())), problem=NONE),
    Hostile(
        "a list in its comment",
        *("zip", lambda: zipped(("1", png()))[:-2] + b"\x16\0" + b"PK\5\6" + bytes(18)),
        problem=EMPTY,
    ),
    Hostile("no archive at all", "zip", lambda: b"<html>", problem=NONE),
    Hostile("nothing", "zip", lambda: b"", problem=NONE),
)

TARS = (
    Hostile("a symbolic link", "zip", lambda: special(tarfile.SYMTYPE, "/etc"), ("a link",)),
    Hostile("a hard link", "zip", lambda: special(tarfile.LNKTYPE, "/etc/passwd"), ("a link",)),
    Hostile("a disk", "zip", lambda: special(tarfile.BLKTYPE), ("a device",)),
    Hostile("a terminal", "zip", lambda: special(tarfile.CHRTYPE), ("a device",)),
    Hostile("a pipe", "zip", lambda: special(tarfile.FIFOTYPE), ("a device",)),
    Hostile(
        "half a tar",
        *("zip", lambda: tarred(("1", png()), ("2", bytes(9_000)))[:4_000]),
        problem="ends in the middle",
    ),
    Hostile(
        "half a packed tar",
        *("zip", lambda: tarred(("1", png()), mode="w:gz")[:-20]),
        problem="ends in the middle",
    ),
    Hostile("a damaged header", "zip", lambda: damaged(tarred(("1", png())), 0), problem="tar"),
    Hostile(
        "a tar of zeros",
        *("zip", lambda: gzip.compress(tarred(("1.png", bytes(20_000_000))))),
        ("is over",),
    ),
    Hostile("an endless name", "zip", lambda: tarred(("a/" * 60_000, png())), (READ,)),
    Hostile("a tar in a tar", "zip", lambda: tarred(("1", tarred(("1", png())))), (UNKNOWN,)),
    Hostile("packed, and no tar", "zip", lambda: gzip.compress(png()), problem="tar"),
    Hostile("an empty tar", "zip", tarred, problem="tar"),
    Hostile("bzip2 around", "zip", lambda: bz2.compress(tarred(("1", png()))), problem=NONE),
    Hostile("xz around", "zip", lambda: lzma.compress(tarred(("1", png()))), problem=NONE),
)

TABLES = (
    Hostile(
        "broken base64",
        *("csv", lambda: table("?", encoded(png())[:-5] + "*", encoded(png()))),
        ("not base64", "not base64", READ),
    ),
    Hostile(
        "a mark of order and lines of Windows",
        *("csv", lambda: b"\xef\xbb\xbf" + table(encoded(png()), end="\r\n")),
        (READ,),
    ),
    Hostile(
        "UTF-16", "csv", lambda: table(encoded(png())).decode().encode("utf-16"), problem="CSV"
    ),
    Hostile(
        "Big5",
        "csv",
        lambda: (
            table(f"{encoded(png())},表", names="image_64_encoded,word").decode().encode("big5")
        ),
        problem="damaged",
    ),
    Hostile("a CSV of nothing", "csv", lambda: b"", problem="no column"),
    Hostile("no column of images", "csv", lambda: table("1", names="word"), problem="no column"),
    Hostile("names alone", "csv", table, problem=EMPTY),
    Hostile("a row too short", "csv", lambda: table("a", names="id,image_64_encoded"), ("empty",)),
    Hostile("an endless quote", "csv", lambda: table('"' + "A" * 900_000), problem="damaged"),
    Hostile("a zip as a CSV", "csv", lambda: zipped(("1", png())), problem="CSV"),
)

DOCUMENTS = (
    Hostile(
        "a script",
        "pdf",
        lambda: page_pdf(
            "", catalog="/OpenAction <</S /JavaScript /JS (while\\(1\\){app.alert\\(1\\)})>>"
        ),
        (READ,),
    ),
    Hostile(
        "a program to start",
        "pdf",
        lambda: page_pdf("", catalog="/OpenAction <</S /Launch /F (/bin/sh)>>"),
        (READ,),
    ),
    Hostile("10,000 pages", "pdf", lambda: paged_pdf(10_000), ("more than 2,000 pages",)),
    Hostile("a password", "pdf", locked_pdf, ("without a password",)),
    Hostile("half a PDF", "pdf", lambda: page_pdf()[:150], ("PDF",)),
    Hostile("a PDF without a page", "pdf", lambda: paged_pdf(0), ("PDF|no page",)),
    Hostile(
        "pages within themselves",
        "pdf",
        lambda: pdf(
            "<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Kids [2 0 R 2 0 R] /Count 9>>"
        ),
        ("the page is damaged",) * 9,
    ),
    Hostile(
        "pages that are only counted",
        "pdf",
        lambda: pdf(
            "<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Kids [] /Count 999999999>>"
        ),
        ("cannot be opened|no page",),
    ),
    Hostile("a page of a kilometre", "pdf", lambda: page_pdf(box="0 0 2834645 2834645"), (READ,)),
    Hostile("a page without a size", "pdf", lambda: page_pdf(box="0 0 0 0"), (READ,)),
    Hostile(
        "a form within itself",
        "pdf",
        lambda: page_pdf(
            "/F Do",
            "<</Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</F 5 0 R>>>>"
            " /Length 5>>\nstream\n/F Do\nendstream",
            page="/Resources <</XObject <</F 5 0 R>>>>",
        ),
        (READ,),
    ),
    Hostile(
        "a picture of gigapixels in a PDF",
        "pdf",
        lambda: page_pdf(
            "72 0 0 72 0 0 cm /I Do",
            packed_stream(
                50_000_000,
                "/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8"
                " /ColorSpace /DeviceRGB",
            ),
            page="/Resources <</XObject <</I 5 0 R>>>>",
        ),
        (READ,),
    ),
    Hostile("a text that says PDF", "pdf", lambda: b"%PDF-1.4 and no more", ("PDF",)),
    Hostile("a picture as a PDF", "pdf", png, (READ,)),
)

IMAGES = (
    Hostile("a fax, group 3", "image", lambda: fax((204, 98), compression="group3"), (READ,)),
    Hostile("a fax, group 4", "image", lambda: fax((1728, 1143), compression="group4"), (READ,)),
    Hostile(
        "a fax of pages unlike each other",
        "image",
        lambda: fax((1728, 1143), (33, 7), (1, 1), compression="group4", dpi=(204, 98)),
        (READ,) * 3,
    ),
    Hostile(
        "a fax that sends the last bit first",
        *("image", lambda: fax((64, 64), compression="group3", tiffinfo={266: 2})),
        (READ,),
    ),
    Hostile(
        "half a fax",
        *("image", lambda: fax((999, 999), (999, 999), compression="group4")[:900]),
        ("cut off",),
    ),
    Hostile("a TIFF in a circle", "image", circle, ("more than 2,000 pages",)),
    Hostile("a TIFF of gigapixels", "image", lambda: pictures.tiff(60_000, 60_000), ("pixels",)),
    Hostile("a PNG of gigapixels", "image", lambda: pictures.png(50_000, 50_000), (BOMB,)),
    Hostile("a GIF of gigapixels", "image", lambda: pictures.gif(65_535, 65_535), (BOMB,)),
    Hostile("endless scans", "image", lambda: pictures.jpeg(scans=200), ("scans",)),
    Hostile("half a JPEG", "image", lambda: pictures.jpeg()[:200], ("JPEG|cannot be decoded",)),
    Hostile("HEIC", "image", lambda: b"\0\0\0\x18ftypheic" + bytes(99), ("HEIC",)),
    Hostile("a drawing", "image", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", (UNKNOWN,)),
    Hostile("an image of nothing", "image", lambda: b"", ("is empty",)),
    Hostile("an upload of nothing known", "upload", lambda: b"\x7fELF" + bytes(99), (UNKNOWN,)),
    Hostile("an upload in Word", "upload", lambda: b"\xd0\xcf\x11\xe0" + bytes(99), (UNKNOWN,)),
)

FILES = (*ZIPS, *TARS, *TABLES, *DOCUMENTS, *IMAGES)
