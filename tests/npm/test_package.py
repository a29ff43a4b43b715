"""Fetching from a registry on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from npm.package import SETTING, Package, Unavailable
from tests.npm.registry import publish, tarball

FILES = {"package.json": b"{}", "dist/some.js": b"some code"}


@pytest.mark.parametrize("name", ["some", "@scope/some"])
def test_files_of_a_package_are_had(registry: Path, name: str) -> None:
    package = publish(registry, name, tarball(FILES))
    assert package.files(["dist/some.js"]) == {"dist/some.js": b"some code"}
    assert package.slug == "some-1.0.0"


def test_the_registry_may_be_named_in_capitals(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = publish(registry, "some", b"data")
    address = registry.joinpath("address").read_text()
    monkeypatch.delenv(SETTING)
    monkeypatch.setenv(SETTING.upper(), address)
    assert package.fetch() == b"data"


def test_a_configured_proxy_is_gone_through(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is asked for the whole address; this one serves the path of it that it knows."""
    package = publish(registry / "http:" / "far.example", "some", b"data")
    monkeypatch.setenv("http_proxy", registry.joinpath("address").read_text())
    monkeypatch.setenv(SETTING, "http://far.example/")
    assert package.fetch() == b"data"


def test_another_file_than_the_pinned_is_refused(registry: Path) -> None:
    package = publish(registry, "some", tarball(FILES))
    with pytest.raises(Unavailable, match="not the file that is pinned"):
        replace(package, sha512="other").fetch()


@pytest.mark.usefixtures("registry")
def test_what_is_not_there_is_told() -> None:
    with pytest.raises(Unavailable, match=r"cannot fetch gone 1\.0\.0 .*404"):
        Package("gone", "1.0.0", "").fetch()


@pytest.mark.parametrize(
    ("address", "told"), [("http://127.0.0.1:9", "cannot fetch some"), ("file:///etc", "https")]
)
def test_without_a_registry_that_is_told(
    monkeypatch: pytest.MonkeyPatch, address: str, told: str
) -> None:
    monkeypatch.setenv(SETTING, address)
    with pytest.raises(Unavailable, match=told):
        Package("some", "1.0.0", "").fetch()
