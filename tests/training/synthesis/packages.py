"""Packages as the registry serves them, made by hand."""

import io
import json
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from tests.npm.registry import tarball


def font_package(fonts: list[Path]) -> bytes:
    """A package of these fonts as woff2 files, with another weight of the first, not to be read."""
    files = {"package.json": b"{}", "files/some-1-700-normal.woff2": b"not looked at"}
    for number, path in enumerate(fonts):
        written = io.BytesIO()
        with TTFont(path) as font:
            font.flavor = "woff2"
            font.save(written)
        files[f"files/some-{number}-400-normal.woff2"] = written.getvalue()
    return tarball(files)


def stroke_package(medians: dict[str, Any]) -> bytes:
    """A package of one JSON file for each character."""
    files = {
        f"{character}.json": json.dumps({"strokes": [], "medians": lines}).encode()
        for character, lines in medians.items()
    }
    return tarball({"package.json": b"{}", **files})
