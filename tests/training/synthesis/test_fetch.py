"""Fetching from a registry on this machine."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from model.training.errors import DataError
from model.training.synthesis import packages as pinned
from model.training.synthesis.fetch import fetched
from model.training.synthesis.packages import Package
from model.training.synthesis.shapes import Shapes
from npm.package import SETTING
from tests.npm.registry import publish as published
from tests.training.synthesis.conftest import STROKES
from tests.training.synthesis.packages import font_package, stroke_package
from tests.training.world import LABELS


def publish(folder: Path, name: str, data: bytes, strokes: bool = False) -> Package:
    package = published(folder, name, data)
    return Package(package.name, package.version, package.sha512, strokes)


def test_packages_are_fetched_made_into_shapes_and_kept(
    registry: Path, shapes: Path, tmp_path: Path
) -> None:
    packages = (
        publish(registry, "strokes", stroke_package(STROKES), strokes=True),
        publish(registry, "@scope/latin", font_package([shapes / "latin.ttf"])),
    )

    folder = fetched(tmp_path / "cache", LABELS, 2, packages)

    assert {path.name for path in folder.iterdir()} == {"strokes-1.0.0.json", "latin-1.0.0.ttf"}
    made = Shapes(folder, LABELS)
    assert len(made.drawing("X", made.sources)) == 2
    for path in registry.rglob("*.tgz"):
        path.unlink()
    assert fetched(tmp_path / "cache", LABELS, 2, packages) == folder  # nothing is asked for


def test_what_cannot_be_fetched_says_what_to_do(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = publish(registry, "strokes", stroke_package(STROKES), strokes=True)
    with pytest.raises(DataError, match=r"not the file that is pinned.*--fonts"):
        fetched(tmp_path / "cache", LABELS, 1, [replace(package, sha512="other")])
    monkeypatch.setenv(SETTING, "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot fetch .*--fonts"):
        fetched(tmp_path / "cache", LABELS, 1, [package])
    assert not list(tmp_path.glob("cache/*/*"))


def test_a_package_of_another_kind_is_refused(registry: Path, tmp_path: Path) -> None:
    package = publish(registry, "strange", stroke_package({}), strokes=False)
    with pytest.raises(DataError, match=r"strange-1\.0\.0 is of another kind"):
        fetched(tmp_path / "cache", LABELS, 1, [package])


def test_every_package_is_pinned_whole() -> None:
    for package in (pinned.STROKES, *pinned.FONTS):
        assert len(base64.b64decode(package.sha512)) == 64
        assert package.version.count(".") == 2
    assert pinned.STROKES.strokes
    assert not any(package.strokes for package in pinned.FONTS)
    assert len({package.slug for package in pinned.FONTS}) == len(pinned.FONTS)
