from pathlib import Path

import numpy as np
import pytest

from model.training.errors import DataError
from model.training.synthesis.strokes import Strokes


def test_lines_run_where_the_file_says(shapes: Path) -> None:
    lines = Strokes(shapes / "strokes.json").lines("一")

    low, high = lines.points.min(axis=0), lines.points.max(axis=0)
    assert low == pytest.approx([100 / 1024, 480 / 1024], abs=0.01)
    assert high == pytest.approx([900 / 1024, 500 / 1024], abs=0.01)
    assert lines.weights.sum() == pytest.approx(800 / 1024, rel=0.01)


def test_a_hand_never_writes_the_same_twice_and_haste_joins_strokes(shapes: Path) -> None:
    strokes, rng = Strokes(shapes / "strokes.json"), np.random.default_rng(1)

    careful = [strokes.written("O", 0.0, rng) for _ in range(40)]
    hasty = [strokes.written("O", 1.0, rng) for _ in range(40)]

    assert not np.allclose(careful[0].points, careful[1].points)
    assert len({len(lines.points) for lines in careful}) == 1
    assert len({len(lines.points) for lines in hasty}) > 1
    plain = strokes.lines("O").points
    off = [np.abs(lines.points - plain).mean() for lines in careful]
    assert 0.005 < np.mean(off) < 0.06


@pytest.mark.parametrize("content", ["{", "[]", '{"A": 3}', '{"A": [[[1]]]}', '{"A": []}'])
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"cannot read the strokes .*bad\.json"):
        Strokes(path)
