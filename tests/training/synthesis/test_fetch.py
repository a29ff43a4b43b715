"""Fetching from a registry on this machine."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from model.training.errors import DataError
from model.training.synthesis import packages as pinned
from model.training.synthesis.fetch import SETTING, fetched, tarball
from model.training.synthesis.packages import Package
from model.training.synthesis.shapes import Shapes
from tests.training.synthesis.conftest import STROKES
from tests.training.synthesis.packages import font_package, stroke_package
from tests.training.world import LABELS


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as the registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(SETTING, f"http://127.0.0.1:{server.server_port}/")
        yield folder
        server.shutdown()


def publish(registry: Path, name: str, data: bytes, strokes: bool = False) -> Package:
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    package = Package(name, "1.0.0", digest, strokes)
    path = registry / package.tarball
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return package


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


def test_another_file_than_the_pinned_is_refused(registry: Path, tmp_path: Path) -> None:
    package = publish(registry, "strokes", stroke_package(STROKES), strokes=True)

    with pytest.raises(DataError, match="not the file that is pinned"):
        fetched(tmp_path / "cache", LABELS, 1, [replace(package, sha512="other")])

    assert not list(tmp_path.glob("cache/*/*"))


def test_a_package_that_is_not_there_says_what_to_do(registry: Path) -> None:
    assert not list(registry.iterdir())
    with pytest.raises(DataError, match=r"cannot fetch gone 1\.0\.0 .*404.*--fonts"):
        tarball(Package("gone", "1.0.0", ""))


def test_without_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot fetch .*--fonts"):
        tarball(pinned.STROKES)
    monkeypatch.setenv(SETTING, "file:///etc")
    with pytest.raises(DataError, match="https"):
        tarball(pinned.STROKES)


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
