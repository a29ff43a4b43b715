from pathlib import Path

import numpy as np
import pytest

from model.training.contact_sheet import COLUMNS, contact_sheet, spelled
from model.training.errors import DataError

INK, PAPER = 40, 200


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((48, 48, 3), INK + place, np.uint8) for place in range(count)]


def test_every_image_is_on_the_sheet_in_order() -> None:
    sheet = np.asarray(contact_sheet(pictures(COLUMNS + 2), ["A"] * (COLUMNS + 2)))

    middles = [sheet[y, x, 0] for y in (28, 28 + 48 + 21) for x in range(28, 28 + 52 * 12, 52)]
    assert middles[: COLUMNS + 2] == [INK + place for place in range(COLUMNS + 2)]
    assert set(middles[COLUMNS + 2 :]) == {255}


def test_captions_differ_as_their_texts_do() -> None:
    one, other = (np.asarray(contact_sheet(pictures(1), [text])) for text in ("A -> B", "A -> C"))

    assert np.array_equal(one[:50], other[:50])
    assert not np.array_equal(one, other)


def test_what_a_font_lacks_is_spelled_as_a_code_point() -> None:
    assert spelled("德 -> A", set(" ->A")) == "U+5FB7 -> A"
    assert spelled("德", {"德"}) == "德"


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")

    with pytest.raises(DataError, match="no font that can be read"):
        contact_sheet(pictures(1), ["A"], tmp_path)
