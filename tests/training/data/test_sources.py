import base64
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.training.data.dataset import load
from model.training.data.sources import contents, listed
from model.training.errors import DataError
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]
Rows = list[tuple[str, str, str]]


@pytest.fixture
def rows(draw: Draw) -> Rows:
    """Rows as the contest's: a uuid, the word, the image."""
    pictures = sorted(draw("pictures", 4).iterdir())
    return [
        (f"uuid-{place}", path.stem[-1], base64.b64encode(path.read_bytes()).decode())
        for place, path in enumerate(pictures)
    ]


def write(path: Path, rows: Rows, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows([("esun_uuid", "word", "image_64_encoded"), *rows])
    return path


def test_a_csv_reads_as_the_folder_that_it_was_made_of(rows: Rows, tmp_path: Path) -> None:
    folder = load(tmp_path / "pictures", LABELS, 32, tmp_path / "cache")
    table = load(write(tmp_path / "all.csv", rows), LABELS, 32, tmp_path / "cache")

    assert table.names == ("row-2_A", "row-3_O", "row-4_X", "row-5_A")
    assert table.targets.tolist() == folder.targets.tolist() == [0, 1, 2, 0]
    assert np.array_equal(table.images, folder.images)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_order_of_columns_byte_order_mark_and_line_breaks_do_not_matter(
    rows: Rows, tmp_path: Path
) -> None:
    path = tmp_path / "all.CSV"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image_64_encoded", "word"))
        for _, word, image in rows:
            writer.writerow((f"{image[:76]}\r\n{image[76:]}", f" {word} "))

    assert [entry.label for entry in listed(path).entries] == ["A", "O", "X", "A"]
    assert next(contents(path))[1] == base64.b64decode(rows[0][2])


def test_images_of_megabytes_fit_into_a_field(tmp_path: Path) -> None:
    image = b"\xff" * 6_000_000
    path = write(tmp_path / "large.csv", [("", "A", base64.b64encode(image).decode())])

    assert next(contents(path)) == ("row-2_A", image)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,label", "no column image_64_encoded and no column word"),
        ("word,image", "no column image_64_encoded"),
        ("word;image_64_encoded", "separated by commas"),
        ("", "no column"),
        ("word,image_64_encoded\n", "no images"),
    ],
)
def test_a_csv_without_columns_or_rows_is_refused(
    header: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(header, encoding="utf-8")

    with pytest.raises(DataError, match=message):
        listed(path)


@pytest.mark.parametrize(
    ("image", "message"), [("*no base64*", "row 3: .*not base64"), ("", "row 3: .*is empty")]
)
def test_a_row_without_an_image_is_named(
    rows: Rows, image: str, message: str, tmp_path: Path
) -> None:
    rows[1] = ("uuid", "O", image)

    with pytest.raises(DataError, match=message):
        listed(write(tmp_path / "bad.csv", rows))


def test_a_row_that_ends_early_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("word,image_64_encoded\nA\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"row 2: .*is empty"):
        listed(path)


def test_a_row_whose_image_cannot_be_read_is_named_and_leaves_no_cache(
    rows: Rows, tmp_path: Path
) -> None:
    rows[2] = ("uuid", "X", base64.b64encode(b"no picture").decode())

    with pytest.raises(DataError, match="row-4_X: the image cannot be decoded"):
        load(write(tmp_path / "bad.csv", rows), LABELS, 32, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_all_labels_outside_the_list_are_counted_and_the_first_named(
    rows: Rows, tmp_path: Path
) -> None:
    strange = [(uuid, f"Z{place}", image) for place, (uuid, _, image) in enumerate(rows * 2)]

    with pytest.raises(DataError, match=r"8 of 8 .*row-2_Z0 \('Z0'\), .*row-6_Z4 .*, \.\.\.;"):
        load(write(tmp_path / "bad.csv", strange), LABELS, 32, tmp_path / "cache")


def test_a_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.csv", [("uuid", "德", "AAAA")], encoding="big5")

    with pytest.raises(DataError, match="save it as UTF-8"):
        listed(path)


def test_a_field_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("word,image_64_encoded\nA," + "A" * 20_000_000, encoding="utf-8")
    with pytest.raises(DataError, match="field larger"):
        listed(path)
