"""Pictures: all different for a server, all the same for a decoder, labelled."""

from __future__ import annotations

import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.pictures import Pictures
from model.image import decode
from tests.model.graphs import BLUE, GREEN, RED, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "1_紅.jpg").write_bytes(picture(RED, "JPEG"))
    (tmp_path / "2_綠.jpg").write_bytes(picture(GREEN, "JPEG"))
    return tmp_path


def test_a_folder_goes_round_and_no_file_comes_twice(folder: Path) -> None:
    pictures = list(islice(Pictures.read(folder), 5))
    assert [each.label for each in pictures] == ["紅", "綠", "紅", "綠", "紅"]
    assert len({each.jpeg for each in pictures}) == 5
    first, third = (decode(pictures[place].jpeg, 32, 32) for place in (0, 2))
    assert np.array_equal(first, third)
    assert first[0, 0, 0] > 200  # red


def test_a_tar_is_read_like_a_folder(folder: Path) -> None:
    tar = folder / "images.tar"
    with tarfile.open(tar, "w") as packed:
        for name in ("1_紅.jpg", "2_綠.jpg"):
            packed.add(folder / name, f"val/{name}")
    assert [each.label for each in islice(Pictures.read(tar), 2)] == ["紅", "綠"]


def test_golden_images_are_varied_and_keep_their_labels(tiny_bundle: Path) -> None:
    pictures = Pictures.varied(tiny_bundle, 6)
    taken = list(islice(pictures, 6))
    assert [each.label for each in taken] == ["紅", "綠"] * 3
    assert len({decode(each.jpeg, 32, 32).tobytes() for each in taken}) == 6
    again = list(islice(Pictures.varied(tiny_bundle, 6), 6))
    assert [each.jpeg for each in again] == [each.jpeg for each in taken]


@pytest.mark.parametrize("name", ["紅.jpg", "1_.jpg"])
def test_a_name_without_a_label_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(picture(BLUE, "JPEG"))
    with pytest.raises(BenchError, match="<id>_<label>"):
        Pictures.read(tmp_path)


def test_what_is_no_jpeg_is_told(tmp_path: Path) -> None:
    (tmp_path / "1_紅.jpg").write_bytes(picture(RED, "PNG"))
    with pytest.raises(BenchError, match="not a JPEG"):
        Pictures.read(tmp_path)


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no"):
        Pictures.read(tmp_path)
    with pytest.raises(BenchError, match="neither a folder nor a tar"):
        Pictures.read(tmp_path / "missing.tar")
