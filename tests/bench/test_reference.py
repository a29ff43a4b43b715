"""The full ensemble reads what was answered."""

from __future__ import annotations

import base64
from pathlib import Path

from bench.caller import Call, Record
from bench.reference import full_accuracy
from tests.model.graphs import GREEN, RED, picture


def record(colour: tuple[int, int, int], label: str) -> Record:
    return Record(Call("a", base64.b64encode(picture(colour)), label, 0.0), answer=label)


def test_labels_are_compared_with_the_full_answer(tiny_bundle: Path) -> None:
    records = [record(RED, "紅"), record(GREEN, "綠"), record(GREEN, "紅"), record(RED, "紅")]
    assert full_accuracy(tiny_bundle, records) == 3 / 4


def test_of_nothing_there_is_no_accuracy(tiny_bundle: Path) -> None:
    assert full_accuracy(tiny_bundle, []) is None
