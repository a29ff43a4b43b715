"""Bundles: a folder is opened when every file in it is expected, regular and unaltered."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from model.bundle import MANIFEST, MAX_MANIFEST_BYTES, Bundle
from model.errors import BundleInvalid


def rewrite(bundle: Path, manifest: dict[str, Any]) -> None:
    (bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_a_sound_bundle_opens(tiny_bundle: Path) -> None:
    opened = Bundle.open(tiny_bundle)

    assert opened.id == "tiny/1"
    assert all(opened.path(file).is_file() for file in opened.manifest.files())


def test_an_error_calls_a_bundle_by_the_name_it_is_known_by(bundle: Path) -> None:
    (bundle / "members/1.pb").unlink()

    with pytest.raises(BundleInvalid, match=r"^tiny\.tar: missing: members/1\.pb$"):
        Bundle.open(bundle, known_as=Path("tiny.tar"))


def test_two_members_may_share_a_graph(bundle: Path, written: dict[str, Any]) -> None:
    written["members"][1]["graph"] = written["members"][0]["graph"]
    (bundle / "members/2.pb").unlink()
    rewrite(bundle, written)

    assert len(Bundle.open(bundle).manifest.members) == 2


def test_a_bundle_opens_through_links_that_lead_to_it(bundle: Path, tmp_path: Path) -> None:
    releases, current = tmp_path / "releases", tmp_path / "current"
    releases.symlink_to(bundle.parent, target_is_directory=True)
    current.symlink_to(releases / bundle.name, target_is_directory=True)

    assert Bundle.open(releases / bundle.name).id == "tiny/1"
    assert Bundle.open(current).id == "tiny/1"


def test_an_open_bundle_stays_where_it_is_when_the_link_turns(bundle: Path, tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.symlink_to(bundle, target_is_directory=True)
    opened = Bundle.open(current)

    current.unlink()
    current.symlink_to(tmp_path, target_is_directory=True)

    assert opened.path(opened.manifest.members[0].graph).is_file()


def test_a_relative_bundle_outlives_a_change_of_directory(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    opened = Bundle.open(Path("tiny"))

    monkeypatch.chdir("/")

    assert opened.path(opened.manifest.golden[0].image).is_file()


def linked_file(bundle: Path) -> None:
    shutil.move(bundle / "members/1.pb", bundle.parent / "elsewhere.pb")
    (bundle / "members/1.pb").symlink_to(bundle.parent / "elsewhere.pb")


def linked_folder(bundle: Path) -> None:
    shutil.move(bundle / "members", bundle.parent / "elsewhere")
    (bundle / "members").symlink_to(bundle.parent / "elsewhere", target_is_directory=True)


def linked_manifest(bundle: Path) -> None:
    """To a file whose content must not even be looked at."""
    (bundle / MANIFEST).unlink()
    (bundle.parent / "elsewhere.json").write_text("secret", encoding="utf-8")
    (bundle / MANIFEST).symlink_to(bundle.parent / "elsewhere.json")


def manifest_as_folder(bundle: Path) -> None:
    (bundle / MANIFEST).unlink()
    (bundle / MANIFEST).mkdir()


def manifest_as_pipe(bundle: Path) -> None:
    (bundle / MANIFEST).unlink()
    os.mkfifo(bundle / MANIFEST)


def large_manifest(bundle: Path) -> None:
    """Sound, but for its size."""
    with (bundle / MANIFEST).open("ab") as stream:
        stream.write(b" " * MAX_MANIFEST_BYTES)


def many_foreign_files(bundle: Path) -> None:
    for number in range(100, 200):
        (bundle / f"members/{number}").touch()


def member_as_pipe(bundle: Path) -> None:
    (bundle / "members/1.pb").unlink()
    os.mkfifo(bundle / "members/1.pb")


def member_as_folder(bundle: Path) -> None:
    (bundle / "members/1.pb").unlink()
    (bundle / "members/1.pb").mkdir()


def foreign_socket(bundle: Path) -> None:
    # A socket's address is a short one.
    with contextlib.chdir(bundle), socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")


def altered_byte(bundle: Path) -> None:
    graph = bundle / "members/2.pb"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (linked_file, r"members/1\.pb is a link"),
        (linked_folder, r"members is a link"),
        (linked_manifest, r"manifest\.json is a link"),
        (manifest_as_folder, r"manifest\.json is missing or not a regular file"),
        (manifest_as_pipe, r"manifest\.json is missing or not a regular file"),
        (member_as_pipe, r"members/1\.pb is not a regular file"),
        (member_as_folder, r"missing: members/1\.pb"),
        (foreign_socket, r"socket is not a regular file"),
        (altered_byte, r"members/2\.pb is not the file the manifest names"),
        (lambda bundle: (bundle / MANIFEST).unlink(), r"manifest\.json is missing"),
        (lambda bundle: (bundle / "members/2.pb").unlink(), r"missing: members/2\.pb"),
        (lambda bundle: (bundle / "members/3.pb").touch(), r"manifest: members/3\.pb"),
        (lambda bundle: (bundle / "members/.x").touch(), r"members/\.x is a hidden file"),
        (lambda bundle: (bundle / ".git").mkdir(), r"\.git is a hidden file"),
        (lambda bundle: (bundle / ".DS_Store").mkdir(), r"\.DS_Store is a hidden file"),
        (lambda bundle: (bundle / "._1.pb").symlink_to("1.pb"), r"\._1\.pb is a link"),
        (lambda bundle: os.mkfifo(bundle / "Thumbs.db"), r"Thumbs\.db is not a regular file"),
        (lambda bundle: (bundle / "Thumbs.db.pb").touch(), r"manifest: Thumbs\.db\.pb"),
        (lambda bundle: (bundle / "a\nb").touch(), r"not in the manifest: 'a\\nb'$"),
        (many_foreign_files, r"manifest: members/100, .*, members/104, \.\.\.$"),
        (large_manifest, r"manifest\.json is too large: at most 4,000,000 bytes are read"),
        (shutil.rmtree, r"manifest\.json is missing"),
    ],
)
def test_a_damaged_bundle_is_refused(damage: Any, message: str, bundle: Path) -> None:
    damage(bundle)

    with pytest.raises(BundleInvalid, match=message):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "desktop.ini", "Desktop.ini", "._manifest.json"]
)
@pytest.mark.parametrize("where", ["", "members", "golden"])
def test_what_a_desktop_leaves_behind_is_left_aside(name: str, where: str, bundle: Path) -> None:
    (bundle / where / name).write_bytes(b"litter")

    assert Bundle.open(bundle).id == "tiny/1"


def test_a_file_of_the_manifest_is_verified_whatever_it_is_called(
    bundle: Path, written: dict[str, Any]
) -> None:
    (bundle / "members/2.pb").rename(bundle / "members/thumbs.db")
    written["members"][1]["graph"]["path"] = "members/thumbs.db"
    rewrite(bundle, written)
    assert Bundle.open(bundle).id == "tiny/1"

    (bundle / "members/thumbs.db").write_bytes(b"altered")
    with pytest.raises(BundleInvalid, match=r"thumbs\.db is not the file the manifest names"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": 1, "a": 2}', b"\x80\x04."],
    ids=["empty", "cut", "list", "null", "utf-16", "deep", "twice", "pickle"],
)
def test_a_manifest_that_is_none_is_refused(content: bytes, bundle: Path) -> None:
    (bundle / MANIFEST).write_bytes(content)

    with pytest.raises(BundleInvalid, match=r"manifest\.json: "):
        Bundle.open(bundle)


def test_a_manifest_names_the_wrong_field(bundle: Path, written: dict[str, Any]) -> None:
    written["members"][1]["graph"]["path"] = "../outside.pb"
    rewrite(bundle, written)

    with pytest.raises(BundleInvalid, match=r"members\.1\.graph\.path: .*not leave the folder"):
        Bundle.open(bundle)


@pytest.mark.parametrize("where", [MANIFEST, "members/1.pb", "golden"])
def test_what_cannot_be_read_is_refused_by_its_name(
    where: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not stop root, who may run this test: so the refusal is injected."""
    hidden = str(bundle / where)

    def deny(real: Any) -> Any:
        def denied(path: Any, *arguments: Any, **options: Any) -> Any:
            if os.fspath(path) == hidden:
                raise PermissionError(13, "Permission denied", hidden)
            return real(path, *arguments, **options)

        return denied

    monkeypatch.setattr(Path, "open", deny(Path.open))
    monkeypatch.setattr(os, "scandir", deny(os.scandir))

    with pytest.raises(BundleInvalid, match=rf"cannot be read: .*Permission denied.*{where}"):
        Bundle.open(bundle)
