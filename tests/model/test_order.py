"""Reading order: rows, columns, tables, boxes, on sheets that lie askew."""

from __future__ import annotations

import random

import numpy as np
import pytest

from model.detection import Box
from model.order import in_order


def turned(boxes: list[Box], degrees: float) -> list[Box]:
    """Seen on a sheet that lies so, clockwise; each box is upright and around its character."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    found = []
    for x, y, w, h in boxes:
        across, down = x + w / 2, y + h / 2
        wide, high = w * cosine + h * abs(sine), h * cosine + w * abs(sine)
        u, v = across * cosine - down * sine, across * sine + down * cosine
        found.append(Box(u - wide / 2, v - high / 2, wide, high))
    return found


def read(boxes: list[Box]) -> list[list[int]]:
    """Lines, of boxes that were found in no order: each as its place among those given."""
    mixed = list(enumerate(boxes))
    random.Random(1).shuffle(mixed)
    order = in_order([box for _, box in mixed])
    return [[mixed[member][0] for member in line.members] for line in order.lines]


def rows(count: int, length: int, pitch: float, apart: float) -> list[Box]:
    """Characters of 40 pixels, row by row."""
    return [
        Box(100 + pitch * n, 200 + apart * row + 5 * (n % 3), 40, 40 - 8 * (n % 2))
        for row in range(count)
        for n in range(length)
    ]


def in_rows(count: int, length: int) -> list[list[int]]:
    return [list(range(row * length, (row + 1) * length)) for row in range(count)]


@pytest.mark.parametrize("degrees", [0, 4, -10, 10])
def test_lines_are_read_across(degrees: float) -> None:
    order = in_order(turned(rows(5, 12, pitch=48, apart=85), degrees))

    assert read(turned(rows(5, 12, pitch=48, apart=85), degrees)) == in_rows(5, 12)
    assert order.angle == pytest.approx(degrees, abs=1)
    assert {line.direction for line in order.lines} == {"horizontal"}


@pytest.mark.parametrize("degrees", [0, 3, -8])
def test_columns_are_read_from_right_to_left(degrees: float) -> None:
    columns = [
        Box(900 - 90 * column, 100 + 46 * n, 40, 40) for column in range(6) for n in range(14)
    ]

    assert read(turned(columns, degrees)) == in_rows(6, 14)
    order = in_order(turned(columns, degrees))
    assert {line.direction for line in order.lines} == {"vertical"}


def test_printed_boxes_as_close_below_as_beside_each_other_are_rows() -> None:
    assert read(rows(4, 9, pitch=52, apart=52)) == in_rows(4, 9)


def test_a_table_is_read_row_by_row() -> None:
    cells = [
        Box(100 + 400 * cell + 45 * n, 100 + 90 * row, 40, 40)
        for row in range(4)
        for cell in range(3)
        for n in range(2 + cell)
    ]

    flat = [number for line in read(turned(cells, 2)) for number in line]

    assert flat == list(range(len(cells)))


def test_a_signature_beside_a_form_is_a_column_of_its_own() -> None:
    form = rows(3, 8, pitch=46, apart=90)
    signature = [Box(900, 700 + 45 * n, 40, 40) for n in range(3)]

    assert read(form + signature) == [*in_rows(3, 8), [24, 25, 26]]


def test_one_character_and_none() -> None:
    assert read([Box(1, 2, 30, 40)]) == [[0]]
    assert in_order([]).lines == ()
