from pathlib import Path

import numpy as np
import pytest

from model.training.synthesis.shapes import Shapes
from model.training.synthesis.subjects import KINDS, Subject, Subjects
from tests.training.world import LABELS


@pytest.fixture
def made(shapes: Path) -> Shapes:
    return Shapes(shapes, LABELS)


@pytest.fixture
def negatives(made: Shapes) -> list[Subject]:
    subjects, rng = Subjects(made), np.random.default_rng(1)
    return [subjects.isnull(made.sources, rng) for _ in range(400)]


def written(subject: Subject) -> list[str]:
    return [part.character for glyph in subject.glyphs for part in glyph.parts]


def test_a_label_falls_back_to_a_source_that_has_it(made: Shapes) -> None:
    subjects, rng = Subjects(made), np.random.default_rng(1)

    subject = subjects.listed(LABELS.index("A"), list(made.strokes), rng)

    assert subject.source.name == "latin"  # the strokes have no A
    assert written(subject) == ["A"]


def test_negatives_are_of_every_kind_in_proportion(negatives: list[Subject]) -> None:
    kinds = [subject.kind for subject in negatives]

    assert set(kinds) == set(KINDS)
    for kind, share in KINDS.items():
        assert kinds.count(kind) / len(kinds) == pytest.approx(share, abs=0.08)


def test_no_negative_is_a_whole_character_of_the_list(negatives: list[Subject]) -> None:
    for subject in negatives:
        count = len(subject.glyphs)
        if subject.kind == "foreign":
            assert not set(written(subject)) & set(LABELS)
        elif subject.kind == "pair":
            assert count == 2
        elif subject.kind in {"neighbours", "blank"}:
            assert count == 0
            assert subject.crowded == (subject.kind == "neighbours")
        elif subject.kind == "cut":
            assert abs(subject.glyphs[0].across) > 0.6
        else:
            assert all(
                part.keeps is not None or part.character not in LABELS
                for part in subject.glyphs[0].parts
            )


def test_the_parts_of_a_mixture_do_not_overlap(negatives: list[Subject]) -> None:
    mixed = [s.glyphs[0].parts for s in negatives if s.kind == "mixed"]
    points = np.random.default_rng(2).random((500, 2), np.float32)
    both = [parts for parts in mixed if len(parts) == 2]

    assert both
    for first, second in both:
        assert first.keeps is not None
        assert second.keeps is not None
        assert (first.keeps(points) ^ second.keeps(points)).all()
        assert 0.2 < first.keeps(points).mean() < 0.8
