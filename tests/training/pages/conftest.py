"""Sheets that are drawn with few shapes and no images."""

from pathlib import Path

import pytest

from model.training.pages.stream import Stream
from model.training.synthesis.shapes import Shapes
from tests.model.conftest import materials, tiny_bundle
from tests.training.synthesis.conftest import shapes
from tests.training.world import LABELS

__all__ = ["materials", "shapes", "tiny_bundle"]


@pytest.fixture
def stream(shapes: Path) -> Stream:
    return Stream(Shapes(shapes, LABELS), None, seed=3)
