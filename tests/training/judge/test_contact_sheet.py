import numpy as np

from model.training.judge.contact_sheet import COLUMNS, contact_sheet
from model.training.judge.lettering import Lettering

INK, PAPER = 40, 200


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((48, 48, 3), INK + place, np.uint8) for place in range(count)]


def test_every_image_is_on_the_sheet_in_order() -> None:
    sheet = np.asarray(contact_sheet(pictures(COLUMNS + 2), ["A"] * (COLUMNS + 2), Lettering()))

    middles = [sheet[y, x, 0] for y in (28, 28 + 48 + 21) for x in range(28, 28 + 52 * 12, 52)]
    assert middles[: COLUMNS + 2] == [INK + place for place in range(COLUMNS + 2)]
    assert set(middles[COLUMNS + 2 :]) == {255}


def test_captions_differ_as_their_texts_do() -> None:
    one, other = (
        np.asarray(contact_sheet(pictures(1), [text], Lettering())) for text in ("A -> B", "A -> C")
    )

    assert np.array_equal(one[:50], other[:50])
    assert not np.array_equal(one, other)
