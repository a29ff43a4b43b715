"""What the pages take from others is fetched once, whole or not at all."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from deploy.assets import ASSETS, Asset, fetch
from npm.package import SETTING, Package
from tests.npm.registry import publish, tarball


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "fetched.txt"
    }


def test_named_files_are_fetched_once(registry: Path, tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    package = publish(registry, "@scope/some", tarball({"dist/a.js": b"a", "b.js": b"b"}))
    asset = Asset(package, ("dist/a.js",))
    assert fetch(folder, (asset,))
    assert files(folder) == {"@scope/some/dist/a.js": b"a"}
    (registry / package.tarball).unlink()
    assert fetch(folder, (asset,)), "nothing is asked for"


def test_another_version_takes_the_place_of_the_last_when_it_is_there(
    registry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Asset(publish(registry, "some", tarball({"old.js": b"1", "a.js": b"1"})), ("old.js",))
    assert fetch(tmp_path, (first,))
    assert not fetch(tmp_path, (Asset(Package("some", "2.0.0", "none"), ("a.js",)),))
    assert "cannot fetch some 2.0.0" in capsys.readouterr().err
    assert files(tmp_path / "some") == {"old.js": b"1"}

    second = publish(registry, "some", tarball({"a.js": b"2"}), "2.0.0")
    assert fetch(tmp_path, (Asset(second, ("a.js",)),))
    assert files(tmp_path / "some") == {"a.js": b"2"}


def test_without_a_registry_the_setup_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SETTING, "http://127.0.0.1:9")
    folder = tmp_path / "assets"
    assert not fetch(folder)
    assert list(folder.iterdir()) == [], "and there is a folder, for the containers to copy"
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_every_package_is_pinned_whole_and_comes_with_its_licence() -> None:
    for asset in ASSETS:
        assert len(base64.b64decode(asset.package.sha512)) == 64
        assert "LICENSE" in asset.files
