"""Fonts for the pictures; that these are drawn is tested with the reports."""

import shutil
from pathlib import Path

from matplotlib import font_manager

from model.training import plots
from model.training.contact_sheet import spelled


def test_what_no_font_has_is_a_code_point(tmp_path: Path) -> None:
    (tmp_path / "damaged.ttf").write_bytes(b"no font")

    path, known = plots._font({"A", "德"}, tmp_path)

    assert path is None
    assert spelled("A德", known) == "AU+5FB7"


def test_a_font_that_has_more_of_them_is_taken(tmp_path: Path) -> None:
    stix = font_manager.findfont("STIXGeneral")
    shutil.copy(stix, tmp_path / "other.ttf")
    wanted = plots._characters(stix) - plots._characters(font_manager.findfont("DejaVu Sans"))

    path, known = plots._font(set(sorted(wanted)[:3]), tmp_path)

    assert path == str(tmp_path / "other.ttf")
    assert spelled(sorted(wanted)[0], known) == sorted(wanted)[0]
