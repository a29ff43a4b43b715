"""Detection, with a network that takes dark squares for characters."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.detection import STRIDE, UNIT, Box, Detector, peaks
from model.engines import Pixels, Probabilities

CANVAS, SMALL = (320, 256), (96, 96)
PRINT = 120  # as grey is print
DOUBTFUL = 131  # leans to print, by so much that what is beside it decides


class Squares:
    """What a trained network would give, of squares that touch nothing."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size, self.asked = size, 0
        self.seen: list[float] = []

    def __call__(self, pixels: Pixels) -> Probabilities:
        assert pixels.shape == (*self.size, 3)
        self.asked += 1
        grey = pixels.mean(axis=2)
        found = np.zeros((self.size[0] // STRIDE, self.size[1] // STRIDE, 6), np.float32)
        left = {(int(y), int(x)) for y, x in np.argwhere((grey < PRINT + 20) & (grey != 128))}
        while left:
            stack, square = [min(left)], []
            while stack:
                y, x = stack.pop()
                if (y, x) in left:
                    left.remove((y, x))
                    square.append((y, x))
                    stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            (top, low), (start, end) = ((min(a), max(a) + 1) for a in zip(*square, strict=True))
            self.seen.append(end - start)
            row, column = (top + low) // 2 // STRIDE, (start + end) // 2 // STRIDE
            y, x = (row + 0.5) * STRIDE, (column + 0.5) * STRIDE
            sides = np.array([x - start, y - top, end - x, low - y])
            printed = int(min(grey[place] for place in square) > PRINT / 2)
            found[row, column, printed] = 0.9
            if grey[top:low, start:end].max() == DOUBTFUL:
                found[row, column, 1 - printed] = 0.4
            found[row, column, 2:] = np.log(np.maximum(sides, 0.5) / UNIT)
        return found


def picture(width: int, height: int, *squares: Box, grey: int = 20) -> Image.Image:
    made = Image.new("RGB", (width, height), "white")
    for x, y, w, h in squares:
        ImageDraw.Draw(made).rectangle((x, y, x + w - 1, y + h - 1), (grey,) * 3)
    return made


def detector() -> tuple[Detector, Squares, Squares]:
    large, small = Squares(CANVAS), Squares(SMALL)
    return Detector({CANVAS: large, SMALL: small}, 0.5), large, small


def assert_found(found: list[Box], expected: list[Box], within: float) -> None:
    assert len(found) == len(expected)
    for box, wanted in zip(sorted(found), sorted(expected), strict=True):
        assert box == pytest.approx(wanted, abs=within)


def test_boxes_are_in_the_pixels_of_the_picture_however_it_was_made_to_fit() -> None:
    squares = [Box(200, 100, 60, 60), Box(500, 700, 80, 60), Box(30, 1100, 60, 90)]
    looking, large, _ = detector()

    found = looking.find(picture(1000, 1280, *squares))

    assert large.asked == 1
    assert_found([one.box for one in found], squares, within=6)
    assert not any(one.printed for one in found)


def test_a_small_picture_takes_a_small_canvas() -> None:
    looking, large, small = detector()
    found = looking.find(picture(67, 67, Box(10, 12, 40, 44)))

    assert (large.asked, small.asked) == (0, 1)
    assert_found([one.box for one in found], [Box(10, 12, 40, 44)], within=0.1)


def test_print_is_told_apart() -> None:
    looking, *_ = detector()
    found = looking.find(picture(90, 90, Box(20, 20, 30, 30), grey=100))
    assert [one.printed for one in found] == [True]


@pytest.mark.parametrize(("grey", "printed"), [(20, False), (100, True)])
def test_what_is_doubtful_is_as_its_neighbours_on_the_line(grey: int, printed: bool) -> None:
    looking, *_ = detector()
    beside, doubtful = [Box(80, 60, 24, 24), Box(144, 60, 24, 24)], Box(112, 60, 24, 24)
    # Neither what is further off nor what is larger has a voice.
    others = [Box(116, 132, 24, 24), Box(100, 8, 48, 40)]
    sheet = picture(256, 320, *beside, grey=grey)
    for shade, boxes in ((120 - grey, others), (DOUBTFUL, [doubtful])):
        for x, y, w, h in boxes:
            sheet.paste((shade,) * 3, (int(x), int(y), int(x + w), int(y + h)))

    found = {round(one.box.x): one.printed for one in looking.find(sheet)}
    assert found == {
        **{round(box.x): printed for box in [*beside, doubtful]},
        **{round(box.x): not printed for box in others},
    }


def test_small_characters_are_looked_at_again_larger_and_no_two_tiles_tell_the_same() -> None:
    squares = [Box(40 + 90 * n, 40 + 80 * row, 24, 24) for row in range(9) for n in range(6)]
    looking, large, _ = detector()

    found = looking.find(picture(600, 768, *squares))

    assert large.asked == 1 + 9
    assert max(large.seen) > 20
    assert_found([one.box for one in found], squares, within=2)


def test_a_character_as_large_as_the_picture_is_looked_at_again_smaller() -> None:
    looking, large, _ = detector()
    found = looking.find(picture(250, 300, Box(20, 30, 200, 220)))

    assert min(large.seen) < 40
    assert_found([one.box for one in found], [Box(20, 30, 200, 220)], within=8)


def test_of_one_character_there_is_one_box() -> None:
    """Two peaks whose boxes are nearly the same."""
    found = np.zeros((24, 24, 6), np.float32)
    found[10, 10, 0], found[10, 12, 0], found[10, 11, 1] = 0.9, 0.8, 0.7
    found[10, 10:13, 2:] = np.log(20 / UNIT)

    boxes, heats, leanings = peaks(found, 0.5)
    assert len(boxes) == 2
    assert sorted(heats) == pytest.approx([0.8, 0.9])
    assert (leanings > 0).all()

    once = Detector({SMALL: lambda _: found}, 0.5).find(picture(90, 90))
    assert [one.probability for one in once] == pytest.approx([0.9])


@pytest.mark.parametrize(("side", "left"), [(40, 42 - 20 + 2), (12, 42 - 6)])
def test_cells_around_a_peak_see_the_box_too_but_of_a_small_character(side: int, left: int) -> None:
    """The cell right of the peak at 42, as warm, sees the same box one of its own further right."""
    found = np.zeros((24, 24, 6), np.float32)
    found[10, 10:12, 0] = 0.9, 0.9 - 1e-6
    found[10, 10:12, 2:] = np.log(side / 2 / UNIT)

    boxes, *_ = peaks(found, 0.5)

    assert boxes.tolist() == [pytest.approx([left, 42 - side / 2, side, side], abs=1e-3)]


def test_who_doubts_whether_a_character_is_print_does_not_doubt_that_it_is_one() -> None:
    found = np.zeros((24, 24, 6), np.float32)
    found[10, 10, :2] = 0.5, 0.6
    _, heats, leanings = peaks(found, 0.5)
    assert heats == pytest.approx([0.6])
    assert leanings == pytest.approx([np.log(5 / 6)], rel=0.01)


def test_a_blank_sheet_has_nothing() -> None:
    looking, *_ = detector()
    assert looking.find(picture(90, 90)) == []
