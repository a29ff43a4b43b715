from pathlib import Path

import numpy as np
import pytest

from model.training.errors import DataError
from model.training.synthesis.fonts import EM, SIDE, Face
from tests.training.synthesis.bars import make_font


def test_a_face_draws_filled_bolder_and_thinned(shapes: Path) -> None:
    face = Face(shapes / "latin.ttf")

    filled = np.asarray(face.filled("X"))
    lines = face.lines("X")

    assert filled.shape == (SIDE, SIDE)
    assert filled.mean() < np.asarray(face.filled("X", 2)).mean()
    assert 0.15 < lines.points.min() < lines.points.max() < 0.9
    # Two diagonals of a capital are about two capitals' heights long.
    assert 1.1 < lines.weights.sum() < 2.2
    assert abs(lines.points[:, 0].mean() - 0.5) < 0.05


def test_what_has_no_outline_is_not_drawn(tmp_path: Path) -> None:
    make_font(tmp_path / "bars.ttf", {"A": 60, "O": 0})
    face = Face(tmp_path / "bars.ttf")

    assert face.draws("A")
    assert not face.draws("O")  # mapped, but empty
    assert not face.draws("X")  # not mapped


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="cannot read the font"):
        Face(tmp_path / "bad.ttf")


def test_lines_at_the_edge_of_the_picture_are_thinned_too(tmp_path: Path) -> None:
    make_font(tmp_path / "bars.ttf", {"W": 2_000}, height=10)

    lines = Face(tmp_path / "bars.ttf").lines("W")

    assert lines.points[:, 0].max() > (SIDE / 2 - 3) / EM + 0.5
