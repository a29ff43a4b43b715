import json
from pathlib import Path

import numpy as np
import pytest

from model.training.errors import DataError
from model.training.synthesis.drawing import Part
from model.training.synthesis.shapes import Shapes, repertoire
from tests.training.synthesis.bars import make_font
from tests.training.world import LABELS


def test_every_label_has_its_sources_and_the_rest_is_foreign(shapes: Path) -> None:
    made = Shapes(shapes, LABELS)

    assert [source.name for source in made.drawing("A", made.sources)] == ["latin"]
    assert [source.name for source in made.drawing("X", made.sources)] == ["strokes", "latin"]
    assert made.foreign["strokes"] == ("一",)
    assert {"B", "7"} < set(made.foreign["latin"])
    assert not set(LABELS) & set(made.foreign["latin"])


def test_labels_that_nothing_draws_are_listed(shapes: Path) -> None:
    with pytest.raises(DataError, match=r"draws 2 of the labels: 德 鑫\. Put a font"):
        Shapes(shapes, ("A", "德", "鑫", "isnull"))


def test_folders_of_no_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no fonts"):
        Shapes(tmp_path, LABELS)
    make_font(tmp_path / "bars.ttf", {"A": 60})
    with pytest.raises(DataError, match="outside the labels"):
        Shapes(tmp_path, ("A", "isnull"))


def test_parts_that_make_a_label_are_known(shapes: Path) -> None:
    made = Shapes(shapes, LABELS)

    assert not made.unlike((Part("X"),))
    assert made.unlike((Part("X", lambda points: points[:, 1] < np.float32(0.4)),))
    assert not made.unlike((Part("B"),))  # nothing to compare by: better not


def test_the_repertoire_has_what_forms_have() -> None:
    assert {"鑫", "國", "国", "A", "z", "0"} <= repertoire(("鑫", "isnull"))
    assert "isnull" not in repertoire(("鑫", "isnull"))


def test_other_forms_of_a_label_are_no_foreign_characters(tmp_path: Path) -> None:
    strokes = [[[200, 800], [800, 0]]]
    drawn = dict.fromkeys("國国製制林丁", strokes)
    (tmp_path / "strokes.json").write_text(json.dumps(drawn), encoding="utf-8")

    made = Shapes(tmp_path, ("國", "製", "林", "isnull"))

    (source,) = made.sources
    assert made.foreign["strokes"] == ("丁",)
    assert [made.form(label, source) for label in ("國", "製", "林")] == ["国", "製", "林"]
