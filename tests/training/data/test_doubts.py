import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.data import doubts
from model.training.data.dataset import Dataset
from model.training.data.doubts import HALF, LEAVE_OUT, OUT, SOFTEN, Doubt
from model.training.errors import DataError
from model.training.judge.lettering import Lettering

LABELS = ("德", "能", "三", "isnull")
DOUBT = Doubt(2, "2_德.jpg", "德", "能", 0.98765, 0.00123, OUT)


@pytest.fixture
def dataset() -> Dataset:
    """Four images that are all labelled as the first class."""
    names = tuple(f"{row}_德.jpg" for row in range(4))
    return Dataset(np.full((4, 32, 32, 3), 200, np.uint8), np.zeros(4, np.int32), names)


def test_unlikely_labels_are_out_and_little_likely_ones_half(dataset: Dataset) -> None:
    probabilities = np.array(
        [
            [0.9, 0.1, 0.0, 0.0],
            [SOFTEN, 0.9, 0.0, 0.05],
            [0.0, 0.3, 0.4, 0.3],  # a blank is like nothing
            [LEAVE_OUT, 0.0, 0.0, 0.99],
        ],
        np.float32,
    )

    found = doubts.find(probabilities, dataset, LABELS)

    assert [(doubt.row, doubt.read, doubt.verdict) for doubt in found] == [
        (2, "三", OUT),
        (3, "isnull", OUT),
        (1, "能", HALF),
    ]
    assert [d.row for d in doubts.find(probabilities, dataset, LABELS, soften=0)] == [2, 3]


def test_list_and_sheet_are_written(dataset: Dataset, tmp_path: Path) -> None:
    doubts.write(tmp_path / "notes", [DOUBT], dataset, Lettering())

    with (tmp_path / "notes" / "doubts.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["name", "label", "read", "probability", "of_label", "verdict"],
            ["2_德.jpg", "德", "能", "0.9877", "0.0012", "out"],
        ]
    with Image.open(tmp_path / "notes" / "doubts.png") as sheet:
        assert sheet.getpixel((20, 20)) == (200, 200, 200)


def test_what_was_written_is_read_for_the_images_that_there_are(
    dataset: Dataset, tmp_path: Path
) -> None:
    half = replace(DOUBT, row=1, name="1_德.jpg", verdict=HALF)
    gone = replace(DOUBT, name="9_德.jpg")
    doubts.write(tmp_path, [DOUBT, half, gone], dataset, Lettering())

    assert doubts.read(tmp_path / "doubts.csv", dataset, LABELS) == ([2], {1: 1})


@pytest.mark.parametrize(
    "content",
    [
        "name,read\n2_德.jpg,能\n".encode(),
        "name,read,verdict\n2_德.jpg,能,no\n".encode(),
        "name,read,verdict\n2_德.jpg,鑫,out\n".encode(),
        b"name,read,verdict\n\xff",
    ],
)
def test_another_file_is_no_list(dataset: Dataset, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)

    with pytest.raises(DataError, match="no list of doubted labels"):
        doubts.read(path, dataset, LABELS)


def test_without_doubts_an_old_sheet_goes(dataset: Dataset, tmp_path: Path) -> None:
    doubts.write(tmp_path, [DOUBT], dataset, Lettering())
    doubts.write(tmp_path, [], dataset, Lettering())

    assert [path.name for path in tmp_path.iterdir()] == ["doubts.csv"]


def test_a_place_that_cannot_be_written_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"a file where a folder should be")

    with pytest.raises(DataError, match="cannot write the doubted labels"):
        doubts.write(tmp_path / "notes", [], dataset, Lettering())
