from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.errors import DataError
from model.training.synthesis import sheet
from model.training.synthesis.sheet import WIDTH, save_sheet
from model.training.synthesis.stream import Stream
from tests.training.world import LABELS


def test_a_sheet_is_full_of_images_and_small(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "ROWS", 2)
    path = tmp_path / "new" / "sheet.png"

    save_sheet(Stream(shapes, LABELS, 1, 0.2), path)

    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape[1] == WIDTH
    rows_of_white = (pixels > 250).all(axis=1).mean()
    assert rows_of_white < 0.2
    assert path.stat().st_size < 100_000
    assert [path.name for path in path.parent.iterdir()] == ["sheet.png"]


def test_where_nothing_can_be_written_it_says_so(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        save_sheet(Stream(shapes, LABELS, 1, 0.2), tmp_path / "file" / "sheet.png")
