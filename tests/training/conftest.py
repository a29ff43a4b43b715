"""Fixtures: folders of drawn characters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.training.world import LABELS


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def draw(tmp_path: Path) -> Callable[[str, int], Path]:
    """Makes a folder of `count` images `<id>_<label>.jpg`, its labels taken in turn."""

    def make(name: str, count: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for index in range(count):
            label = LABELS[index % 3]
            picture = Image.new("RGB", (40 + index % 7, 67), (250, 240, 230))
            ImageDraw.Draw(picture).text((8 + index % 5, 15), label, "navy", font_size=36)
            picture.save(folder / f"{index}_{label}.jpg")
        return folder

    return make
