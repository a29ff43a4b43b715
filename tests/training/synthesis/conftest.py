"""A folder of shapes: a Latin font that Pillow brings along, and strokes made by hand."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import ImageFont

# In an em of 1024 units, y upwards: a cross, a gate, and a character of one stroke.
STROKES = {
    "X": [[[200, 800], [800, 0]], [[800, 800], [200, 0]]],
    "O": [[[250, 700], [250, 100]], [[250, 700], [780, 700], [780, 100]], [[250, 100], [780, 100]]],
    "一": [[[100, 400], [512, 410], [900, 420]]],
}


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    folder.mkdir()
    stored = ImageFont.load_default(20).path
    assert isinstance(stored, BytesIO)
    (folder / "latin.ttf").write_bytes(stored.getvalue())
    (folder / "strokes.json").write_text(json.dumps(STROKES), encoding="utf-8")
    return folder
