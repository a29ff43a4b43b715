import io
import json
import tarfile
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from model.training.synthesis.convert import font_of, strokes_of
from model.training.synthesis.fonts import Face
from tests.training.synthesis.bars import make_font
from tests.training.synthesis.packages import font_package, stroke_package


def test_subsets_become_one_font_of_what_is_wanted(tmp_path: Path) -> None:
    make_font(tmp_path / "1.ttf", {"A": 60, "B": 100})
    make_font(tmp_path / "2.ttf", {"X": 200, "Y": 300})
    with TTFont(tmp_path / "2.ttf") as font:
        font["hmtx"]["u58"] = (1000, 400)  # where the bar begins
        font.save(tmp_path / "2.ttf")

    made = font_of(font_package([tmp_path / "1.ttf", tmp_path / "2.ttf"]), "AXO")

    (tmp_path / "made.ttf").write_bytes(made)
    face = Face(tmp_path / "made.ttf")
    assert face.characters == {"A", "X"}
    drawn = [Face(tmp_path / name).filled("X").getbbox() for name in ("2.ttf", "made.ttf")]
    assert drawn[0] == drawn[1]


def test_strokes_are_those_of_the_wanted_characters() -> None:
    medians = {"一": [[[100, 400], [900, 420]]], "X": [[[0, 0], [9, 9]]]}

    made = json.loads(strokes_of(stroke_package(medians), "一二"))

    assert made == {"一": medians["一"]}


def test_a_package_of_another_kind_is_an_error() -> None:
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w:gz").close()
    with pytest.raises(ValueError, match="no web fonts"):
        font_of(empty.getvalue(), "A")
    with pytest.raises(ValueError, match="no strokes"):
        strokes_of(empty.getvalue(), "A")
    with pytest.raises(tarfile.TarError):
        strokes_of(b"no tar file", "A")
