"""Which font is taken, and what it cannot write."""

import shutil
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager

from model.training.errors import DataError
from model.training.judge.lettering import Lettering, latin


def characters(font: Path | str) -> set[str]:
    with TTFont(font) as tables:
        return set(map(chr, tables.getBestCmap()))


def test_the_font_that_has_most_of_the_characters_is_taken(tmp_path: Path) -> None:
    other = shutil.copy(font_manager.findfont("STIXGeneral"), tmp_path / "other.ttf")
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    rare = sorted(characters(other) - characters(latin()))[:3]

    path, texts = Lettering(tmp_path).best(["A", *rare])

    assert path == tmp_path / "other.ttf"
    assert texts == ["A", *rare]


def test_what_the_font_lacks_is_spelled_as_a_code_point(tmp_path: Path) -> None:
    shutil.copy(latin(), tmp_path / "only.ttf")

    _, texts = Lettering(tmp_path).best(["德 -> A", "\t"])

    assert texts == ["U+5FB7 -> A", "U+0009"]


def test_a_font_without_plain_letters_is_passed_over(tmp_path: Path) -> None:
    signs = font_manager.findfont("STIXSizeOneSym")
    shutil.copy(signs, tmp_path / "signs.ttf")
    rare = sorted(characters(signs) - characters(latin()))

    assert Lettering(tmp_path).best(rare)[0] == tmp_path / "signs.ttf"
    assert Lettering(tmp_path).best([*rare, "A"])[0] == latin()


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")

    with pytest.raises(DataError, match="no font that can be read"):
        Lettering(tmp_path)
