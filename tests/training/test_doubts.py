import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training import doubts
from model.training.dataset import Dataset
from model.training.doubts import LIKELY, UNLIKELY, Doubt
from model.training.errors import DataError
from model.training.lettering import Lettering

LABELS = ("德", "能", "三", "isnull")


@pytest.fixture
def dataset() -> Dataset:
    """Four images that are all labelled as the first class."""
    names = tuple(f"{row}_德.jpg" for row in range(4))
    return Dataset(np.full((4, 32, 32, 3), 200, np.uint8), np.zeros(4, np.int32), names)


def test_only_confident_contradiction_is_doubted_the_surest_first(dataset: Dataset) -> None:
    probabilities = np.array(
        [
            [0.9, 0.1, 0.0, 0.0],  # read as labelled
            [UNLIKELY, LIKELY, 0.2, 1 - LIKELY - UNLIKELY - 0.2],
            [0.0, LIKELY - 0.1, 0.3, 0.2],  # not sure enough
            [0.001, 0.0, 0.0, 0.999],
        ],
        np.float32,
    )

    found = doubts.find(probabilities, dataset, LABELS)

    assert [(doubt.row, doubt.label, doubt.read) for doubt in found] == [
        (3, "德", "isnull"),
        (1, "德", "能"),
    ]


def test_a_label_that_is_likely_too_is_not_doubted(dataset: Dataset) -> None:
    probabilities = np.tile(np.float32([0.1, 0.9, 0, 0]), (4, 1))

    assert doubts.find(probabilities, dataset, LABELS) == []


def test_list_and_sheet_are_written(dataset: Dataset, tmp_path: Path) -> None:
    doubt = Doubt(2, "2_德.jpg", "德", "能", 0.98765)

    doubts.write(tmp_path / "notes", [doubt], dataset, Lettering())

    with (tmp_path / "notes" / "doubts.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["name", "label", "read", "probability"],
            ["2_德.jpg", "德", "能", "0.9877"],
        ]
    with Image.open(tmp_path / "notes" / "doubts.png") as sheet:
        assert sheet.getpixel((20, 20)) == (200, 200, 200)


def test_without_doubts_an_old_sheet_goes(dataset: Dataset, tmp_path: Path) -> None:
    doubts.write(tmp_path, [Doubt(0, "a", "德", "能", 0.9)], dataset, Lettering())
    doubts.write(tmp_path, [], dataset, Lettering())

    assert [path.name for path in tmp_path.iterdir()] == ["doubts.csv"]


def test_a_place_that_cannot_be_written_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"a file where a folder should be")

    with pytest.raises(DataError, match="cannot write the doubted labels"):
        doubts.write(tmp_path / "notes", [], dataset, Lettering())
