"""What strangers bring as a job: each image found, and each fault told, within bounds."""

from __future__ import annotations

import base64
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from workers import inputs as module
from workers.contract.job import Input
from workers.faults import InputRefused
from workers.inputs import Inputs

LIMIT = 1_000
CSV_ROW = base64.b64encode(b"picture").decode()


def zipped(
    *files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(data: bytes) -> bytes:
    """A zip whose files claim to be."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


Find = Callable[[str, bytes], list[Any]]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def found(kind: str, data: bytes) -> list[Any]:
        path = tmp_path / "input"
        path.write_bytes(data)
        return list(Inputs(LIMIT).find(0, Input(kind, "input"), path))

    return found


def told(found: list[Any]) -> list[Any]:
    """Name and content, or what is wrong."""
    return [
        each and (each.id, each.problem["detail"] if each.problem else each.data) for each in found
    ]


@pytest.mark.parametrize(
    "data",
    [
        zipped(("a/1.png", b"one"), ("2.png", b"two")),
        zipped(("a/1.png", b"one"), ("2.png", b"two"), method=zipfile.ZIP_STORED),
        tarred(
            (member("a", tarfile.DIRTYPE), b""),
            (member("a/1.png"), b"one"),
            (member("2.png"), b"two"),
        ),
        tarred((member("a/1.png"), b"one"), (member("2.png"), b"two"), mode="w"),
    ],
    ids=["zip", "stored", "tar.gz", "tar"],
)
def test_an_archive_of_images(find: Find, data: bytes) -> None:
    assert told(find("zip", data)) == [("a/1.png", b"one"), ("2.png", b"two")]


def test_a_csv_of_the_contest(find: Find) -> None:
    rows = f'word,image_64_encoded\n德,{CSV_ROW}\n人,"{CSV_ROW[:4]}\r\n{CSV_ROW[4:]}"\n人,?\n'
    assert told(find("csv", b"\xef\xbb\xbf" + rows.encode())) == [
        ("row-2", b"picture"),
        ("row-3", b"picture"),
        ("row-4", "image_64_encoded is not base64."),
    ]


def test_a_csv_with_names_of_its_own(find: Find) -> None:
    rows = f"esun_uuid,image_64_encoded\nmine,{CSV_ROW}\n,{CSV_ROW}\n"
    assert [each and each.id for each in find("csv", rows.encode())] == ["mine", "row-3"]


def test_an_image_has_the_name_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"picture")
    (found,) = Inputs(LIMIT).find(3, Input("image", "input", "mine"), path)
    assert (found.input, found.id, found.data) == (3, "mine", b"picture")


@pytest.mark.parametrize("name", ["__MACOSX/._1.png", ".hidden/1.png", "a/.DS_Store", "Thumbs.db"])
def test_litter_is_left_out(find: Find, name: str) -> None:
    files = ((name, b"?"), ("1.png", b"one"))
    expected = [None, ("1.png", b"one")]
    assert told(find("zip", zipped(*files))) == expected
    assert told(find("zip", tarred(*((member(name), data) for name, data in files)))) == expected


@pytest.mark.parametrize(
    ("name", "shown"),
    [("一.png".encode("big5"), "一.png"), ("一.png".encode(), "一.png"), (b"\xff.png", "\xa0.png")],
    ids=["big5", "utf-8", "neither"],
)
def test_names_are_read_as_their_writers_meant_them(find: Find, name: bytes, shown: str) -> None:
    data = zipped(("X" * len(name), b"one"), method=zipfile.ZIP_STORED)
    assert told(find("zip", data.replace(b"X" * len(name), name))) == [(shown, b"one")]


def document(kind: str, pages: int) -> bytes:
    stream = io.BytesIO()
    first, *others = (Image.new("1", (8, 8), number % 2) for number in range(pages))
    first.save(stream, kind, save_all=True, append_images=others)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PDF", "TIFF"])
def test_each_page_is_an_item(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "input"
    several, one = document(kind, 3), document(kind, 1)
    named = "esun_uuid,image_64_encoded\nmine," + base64.b64encode(several).decode()
    pages = [f"#page={number}" for number in (1, 2, 3)]
    for input_kind, data, ids in (
        ("pdf", several, [f"0{page}" for page in pages]),
        ("upload", several, [f"0{page}" for page in pages]),
        ("image", one, ["0"]),
        ("csv", named.encode(), [f"mine{page}" for page in pages]),
        (
            *("zip", zipped(("a/1", several), ("2", one))),
            [*(f"a/1{page}" for page in pages), "2"],
        ),
        ("zip", tarred((member("a/1"), several)), [f"a/1{page}" for page in pages]),
    ):
        path.write_bytes(data)
        found = list(Inputs(9_000).find(0, Input(input_kind, "input"), path))
        assert [each and each.id for each in found] == ids
        assert all(each and each.data and each.problem is None for each in found)
    path.write_bytes(one)
    (single,) = Inputs(9_000).find(0, Input("image", "input"), path)
    assert single is not None
    assert single.data == one


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (zipped((link("1.png"), b"/etc/passwd")), "it is a link"),
        (zipped(("1.png", bytes(LIMIT + 1))), "is over 1,000 bytes"),
        (zipped(("1.png", b"")), "is empty"),
        (encrypted(zipped(("1.png", b"one"))), "it is encrypted"),
        (zipped(("1.png", b"one"), method=zipfile.ZIP_LZMA), "something else than deflate"),
        (zipped(("1.png", b"one"), method=zipfile.ZIP_STORED).replace(b"one", b"own"), "damaged"),
        (tarred((member("1.png", tarfile.SYMTYPE, "/etc/passwd"), b"")), "it is a link"),
        (tarred((member("1.png", tarfile.FIFOTYPE), b"")), "or a device"),
        (tarred((member("1.png"), bytes(LIMIT + 1))), "is over 1,000 bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_one_file_is_its_own(find: Find, data: bytes, why: str) -> None:
    (found,) = find("zip", data)
    assert why in told([found])[0][1]
    assert found.data == b""


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("zip", b"", "neither a zip nor a tar"),
        ("zip", b"GIF89a", "neither a zip nor a tar"),
        ("zip", zipped(("1.png", b"one"))[:-30], "cut off"),
        (
            "zip",
            zipped(("1", b"1"), ("2.zip", zipped(("3", b"3"))), method=zipfile.ZIP_STORED)[:-100],
            "cut off",
        ),
        ("zip", zipped(("1.png", b"one"))[40:], "neither a zip"),
        ("zip", b"PK\3\4" + zipped(("1.png", b"one"))[60:], "damaged"),
        ("zip", tarred((member("1.png"), bytes(2_000)), mode="w")[:1_500], "ends in the middle"),
        ("zip", tarred((member("1.png"), b"one"))[:-9], "ends in the middle"),
        ("zip", b"\x1f\x8b" + bytes(50), "damaged"),
        ("csv", b"", "no column"),
        ("csv", b"word,image\n", "no column"),
        ("csv", b"image_64_encoded\n\xa4\xa4\n", "damaged"),
        ("csv", b"image_64_encoded\n" + b"A" * 2_000, "damaged"),
    ],
)
def test_what_is_wrong_with_a_file_as_a_whole(find: Find, kind: str, data: bytes, why: str) -> None:
    with pytest.raises(InputRefused, match=why):
        find(kind, data)


def test_a_zip_bomb_ends_at_a_multiple_of_its_size(
    find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALWAYS_BYTES", 1)
    monkeypatch.setattr(module, "MAX_GROWTH", 2)
    bomb = zipped(*((f"{number}.png", bytes(LIMIT)) for number in range(100)))
    with pytest.raises(InputRefused, match="2 times its size"):
        find("zip", bomb)


def test_a_list_without_end_is_not_read(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 3)
    with pytest.raises(InputRefused, match="more than 3 files"):
        find("zip", zipped(*((f"{number}.png", b"?") for number in range(4))))
    monkeypatch.setattr(module, "_MAX_LIST_BYTES", 50)
    with pytest.raises(InputRefused, match="65,534 files"):
        find("zip", zipped(("1.png", b"?"), ("2.png", b"?")))
