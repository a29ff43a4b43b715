"""Archives: a sound one is a bundle, and a hostile one costs a line and leaves nothing behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tempfile
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import intake
from model.archive import MAX_HEADER_BYTES, unpack
from model.bundle import MANIFEST, MAX_MANIFEST_BYTES, Bundle
from model.errors import BundleInvalid
from model.intake import MAX_BYTES, MAX_FILES
from model.store import Store
from tests.model.bundles import END, bomb, extended, make, member, members, snapshot, write

MEGABYTE = bytes(1 << 20)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle's folder that tests share and must leave as it is."""
    return make(tmp_path_factory.mktemp("sound") / "plain")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store's folder with another version in it."""
    Store(tmp_path / "store").add(make(tmp_path / "other", version="0"), prove=accept)
    return tmp_path / "store"


def accept(_: Bundle) -> None:
    """As if all golden images were read as they should be."""


def refused(archive: Path, store: Path) -> str:
    """The line about an archive that must not get into the store, nor change it."""
    before = snapshot(store)
    with pytest.raises(BundleInvalid) as raised:
        Store(store).add(archive, prove=accept)
    assert snapshot(store) == before
    line = str(raised.value)
    assert line.isprintable()
    assert line.startswith(str(archive))
    return line


# Sound archives


@pytest.mark.parametrize("below", ["", "./", "plain/", "./plain/", "a" * 90 + "/" + "."])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_a_bundle_comes_out_of_its_archive_as_it_was(
    below: str, packed: bool, tar_format: int, sound: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    with tarfile.open(archive, "w:gz" if packed else "w", format=tar_format) as written:
        written.add(sound, below or ".")

    bundle = Store(tmp_path / "store").add(archive, prove=accept)

    assert snapshot(bundle.folder) == snapshot(sound)
    assert bundle.digest == Bundle.open(sound).digest


@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_long_names_and_foreign_letters_are_read(tar_format: int, tmp_path: Path) -> None:
    names = ["字" * 30 + ".pb", "x" * 90 + "/" + "y" * 90, "z" * 99, "z" * 100]
    with tarfile.open(tmp_path / "archive", "w", format=tar_format) as written:
        for name in ["members/" + name for name in names]:
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            written.addfile(entry, io.BytesIO(bytes(len(name))))
    (tmp_path / "unpacked").mkdir()

    root = unpack(tmp_path / "archive", tmp_path / "unpacked")

    assert sorted(path for path in snapshot(root) if snapshot(root)[path]) == sorted(names)


@pytest.mark.parametrize("below", ["", "plain/"])
def test_litter_is_left_out(below: str, sound: Path, tmp_path: Path) -> None:
    """As macOS packs a folder that somebody looked at, with attributes in extended headers."""
    attributes = extended(mtime=b"1.5", SCHILY__xattr__com__apple__quarantine=b"q\n=\xff")
    tar = (
        extended(tarfile.XGLTYPE, comment=b"a revision")
        + member(below + "._members", b"attributes")
        + member(below + "members/.DS_Store", bytes(6_148))
        + attributes
        + member(below + "members", kind=tarfile.DIRTYPE)
        + attributes
        + members(sound, below)
        + member(below + "Thumbs.db", b"pictures")
        + member("._plain", b"attributes")
    )

    bundle = Store(tmp_path / "store").add(write(tmp_path / "a.tgz", tar + END), prove=accept)

    assert snapshot(bundle.folder) == snapshot(sound)


def test_an_archive_may_be_filled_up_to_a_long_record(sound: Path, tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tar", members(sound) + END + bytes(512_000), packed=False)

    assert Store(tmp_path / "store").add(archive, prove=accept).id == "plain/1"


def test_nothing_but_names_and_contents_is_taken_over(sound: Path, tmp_path: Path) -> None:
    def strange(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.mode, entry.uid, entry.gid, entry.mtime = 0o6777, 4242, 4242, 1
        return entry

    with tarfile.open(tmp_path / "a.tar", "w") as written:
        written.add(sound, ".", filter=strange)
    before = os.umask(0o077)
    try:
        bundle = Store(tmp_path / "store").add(tmp_path / "a.tar", prove=accept)
    finally:
        os.umask(before)

    for path in [bundle.folder.parent, *bundle.folder.parent.rglob("*")]:
        status = path.stat()
        assert status.st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644)
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())
        assert status.st_mtime > 1


# Hostile archives: all hold the sound bundle, too


def twin(name: str) -> str:
    """Another spelling of what looks the same."""
    decomposed = unicodedata.normalize("NFD", name)
    assert decomposed != name
    return decomposed


MEMBERS: dict[str, tuple[bytes, str]] = {
    "symbolic link": (member("members/3.pb", kind=tarfile.SYMTYPE), "members/3.pb is neither"),
    "hard link": (member("members/3.pb", kind=tarfile.LNKTYPE), "members/3.pb is neither"),
    "pipe": (member("members/3.pb", kind=tarfile.FIFOTYPE), "members/3.pb is neither"),
    "characters": (member("members/3.pb", kind=tarfile.CHRTYPE), "members/3.pb is neither"),
    "blocks": (member("members/3.pb", kind=tarfile.BLKTYPE), "members/3.pb is neither"),
    "contiguous": (member("members/3.pb", kind=tarfile.CONTTYPE), "members/3.pb is neither"),
    "unknown kind": (member("members/3.pb", kind=b"Z"), "members/3.pb is neither"),
    "sparse": (member("members/3.pb", kind=tarfile.GNUTYPE_SPARSE), "members/3.pb is neither"),
    "link as litter": (member("._x", kind=tarfile.SYMTYPE), "._x is neither"),
    "link in lines": (member("a\nb\x1b[1m", kind=tarfile.SYMTYPE), r"'a\nb\x1b[1m' is neither"),
    "absolute": (member("/tmp/x"), "/tmp/x leads out of the bundle"),
    "twice absolute": (member("//tmp/x"), "//tmp/x leads out"),
    "above": (member("../x"), "../x leads out"),
    "above, within": (member("members/../../x"), "members/../../x leads out"),
    "above, litter": (member("../.DS_Store"), "../.DS_Store leads out"),
    "above, folder": (member("../x", kind=tarfile.DIRTYPE), "../x leads out"),
    "absolute folder": (member("/x", kind=tarfile.DIRTYPE), "/x leads out"),
    "backslash": (member("..\\x"), "has a backslash"),
    "without a name": (member(""), "a file without a name"),
    "root as file": (member("./", kind=b"0"), "a file without a name"),
    "not UTF-8": (member("members/\udcff.pb"), r"'members/\udcff.pb' is not UTF-8"),
    "hidden": (member("members/.x"), "members/.x is hidden"),
    "hidden folder": (member(".git", kind=tarfile.DIRTYPE), ".git is hidden"),
    "in a hidden folder": (member(".git/config"), ".git/config is hidden"),
    "litter in a hidden folder": (member("._x/.DS_Store"), "._x/.DS_Store is hidden"),
    "twice": (member("members/1.pb"), "members/1.pb comes twice"),
    "twice, in other words": (member("./members//1.pb"), "members/1.pb comes twice"),
    "by case": (member("members/1.PB"), "members/1.PB and members/1.pb are one name"),
    "folder by case": (member("Members/3.pb"), "Members and members are one name"),
    "by accents": (member("é") + member(twin("é")), "are one name"),
    "sharp s": (member("ß") + member("SS"), "SS and ß are one name"),
    "file as folder": (member("members/1.pb/x"), "members/1.pb comes twice"),
    "folder as file": (member("members"), "members comes twice"),
    "file made a folder": (member("members/1.pb", kind=tarfile.DIRTYPE), "comes twice"),
    "deep": (member("1/2/3/4/5/6/7/8/9"), "lies deeper than 8 levels"),
    "long": (member("members/" + "x" * 300), "has a name of more than 255 bytes"),
    "long folder": (member("字" * 86, kind=tarfile.DIRTYPE), "has a name of more than 255"),
    "folder with content": (member("x", b"x", tarfile.DIRTYPE), "x is a folder with content"),
    "negative": (member("x", size=-512), "x has a size below zero"),
    "name without a file": (extended(path=b"x"), "ends after the name x"),
    "extended path": (extended(path=b"../x") + member("x"), "../x leads out"),
    "extended NUL": (extended(path=b"x\0y") + member("x"), "has a backslash or a NUL"),
    "extended, not UTF-8": (extended(path=b"\xff") + member("x"), "is not UTF-8"),
    "extended link": (
        extended(path=b"x", linkpath=b"y") + member("x", kind=tarfile.SYMTYPE),
        "is neither",
    ),
    "extended size": (extended(size=b"1") + member("x", b"long"), "under two sizes"),
    "extended sparse": (extended(GNU__sparse__map=b"0,1") + member("x"), "stored sparsely"),
    "global path": (extended(tarfile.XGLTYPE, path=b"x") + member("y"), "one name to all"),
    "global size": (extended(tarfile.XGLTYPE, size=b"1") + member("x"), "under two sizes"),
    "extended without records": (member("x", b"nothing", tarfile.XHDTYPE), "damaged extended"),
    "extended beyond": (member("x", b"99 path=x\n", tarfile.XHDTYPE), "damaged extended"),
    "extended in circles": (member("x", b"0 path=x\n", tarfile.XHDTYPE), "damaged extended"),
    "extended, long number": (member("x", b"9" * 9_000, tarfile.XHDTYPE), "damaged extended"),
    "long name above": (
        member("././@LongLink", b"../x\0", tarfile.GNUTYPE_LONGNAME) + member("x"),
        "../x leads out",
    ),
    "foreign": (member("members/3.pb"), "not in the manifest: members/3.pb"),
    "foreign, in lines": (member("a\nb"), r"not in the manifest: 'a\nb'"),
    "huge": (member("x", size=MAX_BYTES + 1), "x it has more than 1,073,741,824 bytes"),
    "largest of sizes": (member("x", size=2**62), "x it has more than"),
    "huge litter": (member("._x", size=MAX_BYTES + 1), "._x it has more than"),
    "huge extended header": (
        member("x", kind=tarfile.XHDTYPE, size=MAX_HEADER_BYTES + 1),
        "bytes of headers",
    ),
    "huge long name": (
        member("x", kind=tarfile.GNUTYPE_LONGNAME, size=2**40),
        "bytes of headers",
    ),
    "many files": (
        b"".join(member(f"members/{number}") for number in range(MAX_FILES)),
        "has more than 1,000 files",
    ),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize(("hostile", "message"), MEMBERS.values(), ids=MEMBERS)
def test_a_hostile_member_is_refused(
    hostile: bytes, message: str, packed: bool, sound: Path, store: Path, tmp_path: Path
) -> None:
    archive = write(tmp_path / "a", members(sound) + hostile + END, packed)

    assert message in refused(archive, store)
    assert not (tmp_path / "x").exists()


def flipped(data: bytes, position: int) -> bytes:
    """With another byte at a position."""
    changed = bytearray(data)
    changed[position] ^= 0xFF
    return bytes(changed)


# From the members of the sound bundle to the whole file.
FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "ends in the middle, after 0 bytes"),
    "text": (lambda _: b"hello " * 1_000, "is no tar"),
    "a few bytes": (lambda _: b"\x80\x04N.", "ends in the middle, after 4 bytes"),
    "bzip2": (lambda sound: bz2.compress(sound + END) + bytes(512), "is no tar"),
    "xz": (lambda sound: lzma.compress(sound + END) + bytes(512), "is no tar"),
    "gzip of nothing": (lambda _: gzip.compress(b""), "ends in the middle, after 0 bytes"),
    "gzip of text": (lambda _: gzip.compress(b"hello " * 1_000), "is no tar"),
    "gzip's first bytes": (lambda _: b"\x1f\x8b", "ends in the middle of what gzip packed"),
    "not quite gzip": (lambda _: b"\x1f\x8b" + b"\xff" * 100, "is damaged"),
    "gzip twice": (lambda sound: gzip.compress(gzip.compress(sound + END)), "is no tar"),
    "cut gzip": (lambda sound: gzip.compress(sound + END)[:-9], "middle of what gzip packed"),
    "cut checksum": (lambda sound: gzip.compress(sound + END)[:-1], "middle of what gzip packed"),
    "gzip's half": (lambda sound: gzip.compress(sound + END)[:300], "middle of what gzip packed"),
    "wrong checksum": (lambda sound: flipped(gzip.compress(sound + END), -5), "is damaged"),
    "wrong length": (lambda sound: flipped(gzip.compress(sound + END), -1), "is damaged"),
    "behind gzip": (lambda sound: gzip.compress(sound + END) + b"x", "behind the end of what gzip"),
    "two of gzip": (lambda sound: gzip.compress(sound + END) * 2, "goes on behind its end"),
    "before gzip": (lambda sound: b"\n" + gzip.compress(sound + END), "is no tar"),
    "cut file": (lambda sound: gzip.compress(sound[:-700]), "members/2.pb ends before its"),
    "cut between files": (gzip.compress, "ends in the middle"),
    "half an end": (lambda sound: sound + bytes(512), "ends in the middle"),
    "cut header": (lambda sound: sound + member("x")[:100], "ends in the middle"),
    "cut long name": (
        lambda sound: sound + member("x", b"y" * 600, tarfile.GNUTYPE_LONGNAME)[:700],
        "ends in the middle",
    ),
    "damaged header": (lambda sound: sound + flipped(member("x"), 0) + END, "is damaged at byte"),
    "half an end, and more": (lambda sound: sound + bytes(512) + member("x") + END, "behind its"),
    "behind the end": (lambda sound: sound + END + b"x", "goes on behind its end"),
    "two of tar": (lambda sound: (sound + END) * 2, "goes on behind its end"),
    "before the tar": (lambda sound: b"x" * 512 + sound + END, "is no tar"),
    "empty": (lambda _: END, "manifest.json is missing"),
    "folders": (lambda _: member("x", kind=tarfile.DIRTYPE) + END, "manifest.json is missing"),
    "litter": (lambda _: member(".DS_Store", b"x") + END, "manifest.json is missing"),
    "bomb behind the end": (lambda sound: bomb(sound + END, MEGABYTE, 1_024), "behind its end"),
    "bomb of folders": (
        lambda sound: bomb(sound, member("members", kind=tarfile.DIRTYPE) * 2_048, 512),
        "bytes of headers",
    ),
    "bomb of headers": (
        lambda sound: bomb(sound, extended(path=b"x") * 1_024, 512),
        "bytes of headers",
    ),
    "bomb of global headers": (
        lambda sound: bomb(sound, extended(tarfile.XGLTYPE, comment=b"x" * 9_000) * 100, 512),
        "bytes of headers",
    ),
    "bomb in one header": (
        lambda sound: bomb(
            sound + member("x", kind=tarfile.XHDTYPE, size=1 << 30), MEGABYTE, 1_024
        ),
        "bytes of headers",
    ),
    "bomb in a file": (
        lambda sound: bomb(sound + member("x", size=MAX_BYTES + 1), MEGABYTE, 1_024),
        "x it has more than",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FILES.values(), ids=FILES)
def test_a_hostile_archive_is_refused(
    spoil: Callable[[bytes], bytes], message: str, sound: Path, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(spoil(members(sound)))
    tracemalloc.start()
    try:
        line = refused(tmp_path / "a.tar.gz", store)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert message in line
    assert peak < 20_000_000


def test_a_bomb_is_stopped_by_what_it_has_unpacked(
    sound: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are small enough one by one, and no more of them on the disk than allowed."""
    monkeypatch.setattr(intake, "MAX_BYTES", 3_500_000)
    written: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: written.append(os.fstat(file).st_size))
    bombs = b"".join(member(f"members/{number}.pb", MEGABYTE) for number in range(3, 9))

    line = refused(write(tmp_path / "a", members(sound) + bombs + END), store)

    assert "members/6.pb it has more than 3,500,000 bytes unpacked" in line
    assert 3 << 20 < sum(written) <= 3_500_000


def test_an_archive_that_is_larger_than_a_bundle_is_not_looked_into(
    store: Path, tmp_path: Path
) -> None:
    with (tmp_path / "a.tar.gz").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)

    assert "is larger than 1,073,741,824 bytes" in refused(tmp_path / "a.tar.gz", store)


def without(sound: Path, name: str, instead: bytes = b"") -> bytes:
    """The members of the sound bundle but for one."""
    return members(sound).replace(member(name, (sound / name).read_bytes()), instead)


def manifest_with(sound: Path, old: str, new: str) -> bytes:
    """The members of the sound bundle, its manifest rewritten."""
    text = (sound / MANIFEST).read_text(encoding="utf-8")
    assert old in text
    return without(sound, MANIFEST, member(MANIFEST, text.replace(old, new, 1).encode()))


def beside(sound: Path, other: bytes) -> bytes:
    """The sound bundle in a folder, and something beside it."""
    return members(sound, "plain/") + other


CONTENTS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "another folder": (lambda s: beside(s, member("other/x")), "manifest.json lies neither"),
    "the same twice": (lambda s: beside(s, members(s, "other/")), "manifest.json lies neither"),
    "a file beside it": (lambda s: beside(s, member("README")), "manifest.json lies neither"),
    "two folders deep": (lambda s: members(s, "a/plain/"), "manifest.json is missing"),
    "at the root and below": (lambda s: beside(s, members(s)), "not in the manifest: plain/"),
    "no manifest": (lambda s: without(s, MANIFEST), "manifest.json lies neither"),
    "folder as manifest": (
        lambda s: without(s, MANIFEST, member(f"{MANIFEST}/x")),
        "manifest.json is missing or not a regular file",
    ),
    "large manifest": (
        lambda s: without(s, MANIFEST, member(MANIFEST, b" " * (MAX_MANIFEST_BYTES + 1))),
        "manifest.json is too large: at most 4,000,000 bytes",
    ),
    "missing member": (lambda s: without(s, "members/2.pb"), "missing: members/2.pb"),
    "altered member": (
        lambda s: without(s, "members/2.pb", member("members/2.pb", b"altered")),
        "members/2.pb is not the file the manifest names",
    ),
    "name that leaves": (lambda s: manifest_with(s, '"plain"', '"../x"'), "manifest.json: name: "),
    "absolute name": (lambda s: manifest_with(s, '"plain"', '"/x"'), "manifest.json: name: "),
    "hidden name": (lambda s: manifest_with(s, '"plain"', '".lock"'), "manifest.json: name: "),
    "version that leaves": (lambda s: manifest_with(s, '"1"', '".."'), "manifest.json: version: "),
    "path that leaves": (
        lambda s: manifest_with(s, '"members/1.pb"', '"../0/members/1.pb"'),
        "manifest.json: members.0.graph.path: ",
    ),
    "field in lines": (
        lambda s: manifest_with(s, '"licence"', r'"a\nb": 1, "licence"'),
        r"manifest.json: 'a\nb': ",
    ),
    "label in lines": (
        lambda s: manifest_with(s, '"綠"', r'"a\nb", "a\nb"'),
        "a label stands twice",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), CONTENTS.values(), ids=CONTENTS)
def test_an_archive_of_something_else_is_refused(
    spoil: Callable[[Path], bytes], message: str, sound: Path, store: Path, tmp_path: Path
) -> None:
    assert message in refused(write(tmp_path / "a.tar.gz", spoil(sound) + END), store)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("put", [a_pipe, a_dangling_link, lambda _: None])
def test_what_is_no_file_is_refused(put: Any, store: Path, tmp_path: Path) -> None:
    put(tmp_path / "a.tar")

    assert "is missing or not a regular file" in refused(tmp_path / "a.tar", store)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_an_altered_archive_is_refused_or_the_same_bundle(sound: Path, data: st.DataObject) -> None:
    tar = members(sound) + END
    position = data.draw(st.integers(0, len(tar) - 1))
    end = data.draw(st.integers(position, min(position + 600, len(tar))))
    instead = data.draw(st.binary(max_size=600) | st.just(tar[: end - position]))
    with tempfile.TemporaryDirectory() as scratch:
        archive, store = Path(scratch, "a.tar"), Path(scratch, "store")
        write(archive, tar[:position] + instead + tar[end:], packed=False)
        try:
            bundle = Store(store).add(archive, prove=accept)
        except BundleInvalid:
            assert snapshot(store) == {}
        else:
            assert bundle.digest == Bundle.open(sound).digest
            assert snapshot(bundle.folder) == snapshot(sound)
