"""Which files of a source are images, which are the same, and what is said of the others."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.data import sources
from model.training.data.dataset import load
from model.training.data.sources import SUFFIXES, listed
from model.training.errors import DataError
from model.training.frozen.release import golden_images
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]


@pytest.fixture
def nested(draw: Draw) -> Path:
    """Three writers whose files have the same name, all with different pixels."""
    folder = draw("nested", 0)
    for number in range(3):
        (folder / f"writer{number}").mkdir()
        Image.new("RGB", (8, 8), (80 * number,) * 3).save(folder / f"writer{number}" / "1_A.png")
    return folder


def packed(folder: Path, tar: Path) -> Path:
    with tarfile.open(tar, "w") as archive:
        archive.add(folder, "./all")
    return tar


def colours(source: Path, cache: Path) -> list[int]:
    return [int(image.mean()) for image in load(source, LABELS, 8, cache).images]


def test_equal_names_in_different_folders_are_different_images(
    nested: Path, tmp_path: Path
) -> None:
    tar = packed(nested, tmp_path / "all.tar")

    assert colours(nested, tmp_path / "cache") == [0, 80, 160]
    assert colours(tar, tmp_path / "cache") == [0, 80, 160]
    names = [entry.name for entry in listed(tar).entries]
    assert names == [f"writer{number}/1_A.png" for number in range(3)]
    assert names == [entry.name for entry in listed(nested).entries]


def test_folders_that_all_images_share_are_no_part_of_their_names(
    draw: Draw, tmp_path: Path
) -> None:
    """A training that began on a flat folder goes on with a tar of it."""
    tar = packed(draw("flat", 3), tmp_path / "all.tar")

    assert [entry.name for entry in listed(tar).entries] == ["0_A.jpg", "1_O.jpg", "2_X.jpg"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_that_is_decoded_is_listed(suffix: str, draw: Draw, tmp_path: Path) -> None:
    folder = draw("all", 0)
    Image.new("RGB", (8, 8), "white").save(folder / f"1_A{suffix}")
    (folder / f"1_A{suffix}").rename(folder / f"1_A{suffix.upper()}")

    assert colours(folder, tmp_path / "cache") == [255]


def strange(folder: Path) -> None:
    """Beside the images: what is none, twice two, and once the others."""
    (folder / "notes.txt").write_text("notes")
    (folder / "more").mkdir()
    (folder / "more" / "0_A.heic").write_bytes(b"heic")
    (folder / ".DS_Store").touch()
    (folder / "._0_A.jpg").touch()
    (folder / "1_A.jpg").symlink_to("0_A.jpg" if folder.name == "tarred" else "more")
    shutil.copy(folder / "0_A.jpg", os.fsencode(folder) + b"/\xff_A.jpg")


WHY = {sources.ENDING: 2, sources.HIDDEN: 2, sources.LINK: 1, sources.NOT_UTF8: 1}


def test_what_is_left_out_of_a_folder_is_counted(
    draw: Draw, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = draw("plain", 1)
    strange(folder)

    assert len(load(folder, LABELS, 8, tmp_path / "cache")) == 1
    assert listed(folder).left_out == WHY
    told = capsys.readouterr().err.splitlines()
    assert sorted(told) == sorted(
        f"{folder}: {count} left out: {why}" for why, count in WHY.items()
    )


def test_what_is_left_out_of_a_tar_is_counted(draw: Draw, tmp_path: Path) -> None:
    folder = draw("tarred", 1)
    strange(folder)

    assert listed(packed(folder, tmp_path / "all.tar")).left_out == WHY


def test_hard_links_of_a_tar_and_folders_of_a_desktop_are_counted(
    draw: Draw, tmp_path: Path
) -> None:
    folder = draw("all", 1)
    os.link(folder / "0_A.jpg", folder / "1_A.jpg")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "0_A.jpg").touch()

    # A hard link of a folder is a file like any other.
    assert len(listed(folder).entries) == 2
    tarred = listed(packed(folder, tmp_path / "all.tar"))
    assert (len(tarred.entries), tarred.left_out) == (1, {sources.LINK: 1, sources.HIDDEN: 1})


def test_a_link_to_a_picture_of_a_folder_is_that_picture(draw: Draw, tmp_path: Path) -> None:
    folder = draw("all", 0)
    (folder / "0_A.jpg").symlink_to(draw("elsewhere", 1) / "0_A.jpg")
    (folder / "1_A.jpg").symlink_to("nowhere")

    assert len(load(folder, LABELS, 8, tmp_path / "cache")) == 1
    assert listed(folder).left_out == {sources.LINK: 1}


def test_the_later_of_two_files_of_one_path_counts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for colour in (0, 200):
            stream = io.BytesIO()
            Image.new("RGB", (8, 8), (colour,) * 3).save(stream, "png")
            member = tarfile.TarInfo("/1_A.png")
            member.size = stream.tell()
            stream.seek(0)
            archive.addfile(member, stream)

    assert colours(tmp_path / "all.tar", tmp_path / "cache") == [200]
    assert listed(tmp_path / "all.tar").left_out == {sources.REPLACED: 1}


def test_why_there_are_no_images_is_told(draw: Draw) -> None:
    folder = draw("all", 0)
    (folder / "1_A.heic").touch()

    with pytest.raises(DataError, match=r"no images; expected (?s:.*)1 left out: other endings"):
        listed(folder)


@pytest.mark.parametrize("tarred", [False, True])
def test_a_picture_corrected_at_the_same_length_is_read_again(
    tarred: bool, draw: Draw, tmp_path: Path
) -> None:
    folder = draw("all", 0)
    picture = folder / "1_A.bmp"

    def source() -> Path:
        return packed(folder, tmp_path / "all.tar") if tarred else folder

    Image.new("RGB", (8, 8), "black").save(picture)
    os.utime(picture, (1, 1))
    length = picture.stat().st_size
    assert colours(source(), tmp_path / "cache") == [0]

    Image.new("RGB", (8, 8), "white").save(picture)
    os.utime(picture, (1, 1) if tarred else (2, 2))
    assert picture.stat().st_size == length
    assert colours(source(), tmp_path / "cache") == [255]


def test_unreadable_images_are_counted_and_the_first_named(draw: Draw, tmp_path: Path) -> None:
    folder = draw("all", 9)
    for number in range(7):
        (folder / f"{number}_{LABELS[number % 3]}.jpg").write_bytes(b"no picture")

    with pytest.raises(DataError, match=r"7 of 9 images cannot be read") as refusal:
        load(folder, LABELS, 8, tmp_path / "cache")
    assert len(str(refusal.value).splitlines()) == 6


def test_golden_images_may_have_any_ending_and_litter_beside_them(draw: Draw) -> None:
    folder = draw("golden", 1)
    (folder / "0_A.jpg").rename(folder / "0_A.JPG")
    shutil.copy(folder / "0_A.JPG", folder / "._1_A.jpg")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "2_O.png")

    assert golden_images(folder) == {folder / "0_A.JPG": "A", folder / "2_O.png": "O"}
