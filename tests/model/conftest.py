"""A bundle small enough to be made for the tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.bundle import MANIFEST
from model.packing import pack
from tests.model.graphs import BLUE, FACTS, GREEN, RED, logits, picture, softmax


@pytest.fixture(scope="session")
def materials(freeze: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members and the golden pictures, before they are packed."""
    folder = tmp_path_factory.mktemp("materials")
    freeze(folder / "first.pb")
    freeze(folder / "second.pb", lambda image: softmax(logits(image, seed=1) * 3.0))
    (folder / "red.png").write_bytes(picture(RED))
    (folder / "green.jpg").write_bytes(picture(GREEN, "JPEG"))
    (folder / "blue.png").write_bytes(picture(BLUE))
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(materials: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed bundle of two members that tests share and must leave as it is."""
    golden = {materials / "red.png": "紅", materials / "green.jpg": "綠"}
    graphs = [materials / "first.pb", materials / "second.pb"]
    return pack(tmp_path_factory.mktemp("bundles") / "tiny", graphs, golden, FACTS).folder


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle to damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "tiny"))


@pytest.fixture
def written(bundle: Path) -> dict[str, Any]:
    """The copy's manifest as it is in the file."""
    manifest: dict[str, Any] = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    return manifest
