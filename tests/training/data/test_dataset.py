import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.training.data.dataset import load, split
from model.training.errors import DataError
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]


def test_folder_and_tar_of_it_read_alike(draw: Draw, tmp_path: Path) -> None:
    folder = draw("images", 7)
    packed = tmp_path / "images.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        archive.add(folder, "images")

    one = load(folder, LABELS, 32, tmp_path / "cache")
    other = load(packed, LABELS, 32, tmp_path / "cache")

    assert one.images.shape == (7, 32, 32, 3)
    assert one.targets.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert one.names == other.names
    assert np.array_equal(one.images, other.images)
    assert np.array_equal(one.targets, other.targets)


def test_second_load_decodes_nothing(draw: Draw, tmp_path: Path) -> None:
    folder = draw("images", 3)
    first = load(folder, LABELS, 32, tmp_path / "cache")
    (cached,) = (tmp_path / "cache").iterdir()
    made = cached.stat().st_mtime_ns

    second = load(folder, LABELS, 32, tmp_path / "cache")

    assert cached.stat().st_mtime_ns == made
    assert np.array_equal(first.images, second.images)


def test_a_new_image_is_seen_in_spite_of_the_cache(draw: Draw, tmp_path: Path) -> None:
    folder = draw("images", 3)
    load(folder, LABELS, 32, tmp_path / "cache")
    (folder / "9_X.jpg").write_bytes((folder / "2_X.jpg").read_bytes())

    assert len(load(folder, LABELS, 32, tmp_path / "cache")) == 4


def test_given_label_replaces_the_names(draw: Draw, tmp_path: Path) -> None:
    loaded = load(draw("images", 3), LABELS, 32, tmp_path / "cache", label="isnull")

    assert loaded.targets.tolist() == [3, 3, 3]


def test_missing_and_empty_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path / "nowhere", LABELS, 32, tmp_path / "cache")
    with pytest.raises(DataError, match="no images"):
        load(tmp_path / "empty", LABELS, 32, tmp_path / "cache")


def test_a_file_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.tar").write_bytes(b"no tar" * 200)

    with pytest.raises(DataError, match="cannot read the tar file"):
        load(tmp_path / "images.tar", LABELS, 32, tmp_path / "cache")


def test_a_tar_cut_short_is_refused(draw: Draw, tmp_path: Path) -> None:
    packed = tmp_path / "images.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        archive.add(draw("images", 20), "images")
    packed.write_bytes(packed.read_bytes()[:-2000])

    with pytest.raises(DataError, match="cannot read the tar file"):
        load(packed, LABELS, 32, tmp_path / "cache")


def test_label_outside_the_list_is_named(draw: Draw, tmp_path: Path) -> None:
    folder = draw("images", 3)
    (folder / "2_X.jpg").rename(folder / "2_Z.jpg")

    with pytest.raises(DataError, match=r"2_Z\.jpg.*'Z'"):
        load(folder, LABELS, 32, tmp_path / "cache")


def test_corrupt_image_is_named_and_leaves_no_cache(draw: Draw, tmp_path: Path) -> None:
    folder = draw("images", 3)
    picture = folder / "1_O.jpg"
    picture.write_bytes(picture.read_bytes()[:300])

    with pytest.raises(DataError, match=r"1_O\.jpg"):
        load(folder, LABELS, 32, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_full_disk_is_noticed_before_it_is_full(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))

    with pytest.raises(DataError, match="decoded images"):
        load(draw("images", 3), LABELS, 32, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(draw: Draw, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")

    with pytest.raises(DataError, match="cannot write the cache"):
        load(draw("images", 3), LABELS, 32, tmp_path / "cache")


def test_split_holds_out_of_every_class_and_is_the_same_again() -> None:
    targets = np.repeat(np.arange(50), 40).astype(np.int32)

    kept, held = split(targets, 0.1)

    assert np.bincount(targets[held]).tolist() == [4] * 50
    assert sorted([*kept, *held]) == list(range(len(targets)))
    assert np.array_equal(split(targets, 0.1)[1], held)
