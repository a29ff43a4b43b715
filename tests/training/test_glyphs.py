from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from model.training.batches import Batches, Mix
from model.training.dataset import load
from model.training.errors import DataError
from model.training.glyphs import Glyphs, common_characters
from tests.training.world import LABELS

PAPER = np.full((48, 48, 3), (250, 240, 230), np.uint8)
PAPER[12:36, 20:28] = (30, 30, 120)


def bar(width: int) -> object:
    """An upright bar `width` units wide in an em of 1000; nothing when 0."""
    pen = TTGlyphPen(None)
    if width:
        pen.moveTo((500 - width // 2, 0))
        for corner in ((500 - width // 2, 800), (500 + width // 2, 800), (500 + width // 2, 0)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def make_font(path: Path, widths: dict[str, int]) -> None:
    """A font whose characters are bars of these widths."""
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *(f"u{ord(character):x}" for character in widths)]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):x}" for c in widths})
    builder.setupGlyf(dict(zip(names, map(bar, (100, *widths.values())), strict=True)))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Bars", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def fonts(tmp_path: Path) -> Path:
    folder = tmp_path / "fonts"
    folder.mkdir()
    make_font(folder / "bars.ttf", {"A": 60, "O": 0, "一": 500})
    return folder


def test_listed_and_foreign_characters_are_drawn_in_ink_on_paper(fonts: Path) -> None:
    glyphs = Glyphs(fonts, LABELS, 48)
    rng = np.random.default_rng(1)

    listed = [glyphs.listed(PAPER, rng) for _ in range(20)]
    foreign = [glyphs.foreign(PAPER, rng) for _ in range(20)]

    assert {target for _, target in listed} == {0}  # the outline of O is empty, of X missing
    thin = np.mean([(image < 200).mean() for image, _ in listed])
    thick = np.mean([(image < 200).mean() for image in foreign])
    assert 0.01 < thin < thick / 2 < 0.4
    assert listed[0][0].shape == PAPER.shape
    assert listed[0][0].dtype == np.uint8


def test_a_batch_has_its_share_of_drawn_characters(
    fonts: Path, draw: Callable[[str, int], Path], tmp_path: Path
) -> None:
    dataset = load(draw("images", 8), LABELS, 48, tmp_path / "cache")
    mix = Mix(isnull=0, joined=0, foreign=0.5, listed=0.25)
    batches = Batches(dataset, np.arange(8), 8, mix, 3, 1, Glyphs(fonts, LABELS, 48))

    images, targets, _ = batches.at(0)

    assert (targets == 3).sum() == 4
    assert (targets[4:6] == 0).all()
    unchanged = {image.tobytes() for image in dataset.images}
    assert [image.tobytes() in unchanged for image in images] == [False] * 6 + [True] * 2


def test_common_characters_are_of_both_standards() -> None:
    common = common_characters()

    assert {"垃", "對", "对", "一"} <= common
    assert len(common) > 6000


def test_fonts_of_no_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no font files"):
        Glyphs(tmp_path, LABELS, 48)
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="cannot read the font"):
        Glyphs(tmp_path, LABELS, 48)
    make_font(tmp_path / "bad.ttf", {"A": 60})
    with pytest.raises(DataError, match="with no others"):
        Glyphs(tmp_path, LABELS, 48)
