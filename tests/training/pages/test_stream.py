"""Drawn sheets: the truth beside them is true."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.training.pages.ink import lifted
from model.training.pages.stream import Stream
from model.training.synthesis.shapes import Shapes
from tests.training.world import LABELS


def characters(truth: dict) -> list[list[float]]:  # type: ignore[type-arg]
    return [one["box"] for line in truth["lines"] for one in line["characters"]]


def test_a_sheet_depends_on_the_seed_and_its_number_alone(shapes: Path, stream: Stream) -> None:
    again = Stream(Shapes(shapes, LABELS), None, seed=3)
    other = Stream(Shapes(shapes, LABELS), None, seed=4)

    assert stream.sheet(5) == again.sheet(5)
    assert other.sheet(5) != stream.sheet(5)


@pytest.mark.parametrize("variant", ["scan", "photo"])
def test_there_is_ink_where_the_truth_has_characters(variant: str, stream: Stream) -> None:
    """Whatever the camera did: in most boxes something is darker than around them."""
    sheets = (stream.sheet(number) for number in range(60))
    made = next(
        sheet
        for sheet in sheets
        if sheet.truth["variant"] == variant and len(characters(sheet.truth)) > 20
    )
    picture = Image.open(io.BytesIO(made.jpeg)).convert("L")
    assert picture.size == (made.truth["width"], made.truth["height"])
    pixels = np.asarray(picture, float)
    inked = []
    for x, y, w, h in characters(made.truth):
        left, top = int(x), int(y)
        part = pixels[max(top, 0) : int(y + h) + 1, max(left, 0) : int(x + w) + 1]
        around = pixels[max(top - 8, 0) : int(y + h) + 9, max(left - 8, 0) : int(x + w) + 9]
        inked.append(part.min() < np.median(around) - 12)
    assert np.mean(inked) > 0.9


def test_ink_is_lifted_from_a_picture_without_its_paper_and_rulings() -> None:
    picture = Image.new("RGB", (60, 67), (225, 215, 210))
    draw = ImageDraw.Draw(picture)
    draw.line((0, 5, 60, 5), (200, 40, 50), 2)
    draw.rectangle((20, 25, 39, 44), (30, 35, 90))

    ink = lifted(picture, "口", rulings=False)

    assert ink is not None
    assert ink.cover.size == (20, 20)
    assert ink.colour == pytest.approx([30, 35, 90], abs=1)
    with_rulings = lifted(picture, "口", rulings=True)
    assert with_rulings is not None
    assert with_rulings.cover.size == (60, 40)


def test_of_a_blank_picture_there_is_no_ink() -> None:
    assert lifted(Image.new("RGB", (60, 67), (225, 215, 210)), "口", rulings=True) is None
