"""Fixtures: pictures that need no bundle, and a bundle small enough to be made for the tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from bench.capacity import Capacity
from bench.load import Load
from bench.pictures import Picture, Pictures
from bench.target import Target
from model.packing import pack
from tests.model.graphs import FACTS, GREEN, RED, picture


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """One sheet of paper, in as many files as are asked for."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 67), "white").save(stream, "JPEG")
    return Pictures([Picture(stream.getvalue(), "德")], "a sheet")


@pytest.fixture(scope="session")
def capacity() -> Capacity:
    """Of a machine that reads 100 images a second."""
    return Capacity("tiny/1", 2, "openvino", 2, 20.0, 20.0, 20.0)


@pytest.fixture(scope="session")
def tiny_bundle(freeze: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members that tell red from green."""
    folder = tmp_path_factory.mktemp("bundle")
    golden = {folder / "red.jpg": "紅", folder / "green.jpg": "綠"}
    (folder / "red.jpg").write_bytes(picture(RED, "JPEG"))
    (folder / "green.jpg").write_bytes(picture(GREEN, "JPEG"))
    graphs = [freeze(folder / "first.pb"), freeze(folder / "second.pb")]
    return pack(folder / "tiny", graphs, golden, FACTS).folder


def make_load(target: Target, pictures: Pictures, capacity: Capacity) -> Load:
    """A load of even arrivals."""
    return Load(target, pictures, capacity, "even", seed=0)
