from pathlib import Path

import pytest

from model.training.data.labels import read_characters, read_labels
from model.training.errors import DataError


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_may_lack_isnull_and_hold_blanks(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, "\ufeffhot dog\ncat\r\n\n")) == ("hot dog", "cat")


def test_characters_end_in_isnull(tmp_path: Path) -> None:
    assert read_characters(written(tmp_path, "\ufeff德\n土\nisnull\n")) == ("德", "土", "isnull")


@pytest.mark.parametrize("text", ["", "cat\n\ndog\n", "cat\ncat\n"])
def test_what_is_no_list_of_labels_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.txt: expected one label a line"):
        read_labels(written(tmp_path, text))


@pytest.mark.parametrize("text", ["A\nB\n", "A\nisnull\nB\n", "isnull\n"])
def test_characters_without_isnull_behind_them_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected characters"):
        read_characters(written(tmp_path, text))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the labels .*none\.txt"):
        read_labels(tmp_path / "none.txt")
