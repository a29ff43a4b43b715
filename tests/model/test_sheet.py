"""Sheets: step by step from boxes to text, with a detector and members that do as they are told."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from model.bunch import Bunch
from model.bundle import Bundle
from model.detection import Box, Detector, Found
from model.drawing import drawn
from model.engines import Network, Pixels, Probabilities
from model.ensemble import Ensemble
from model.errors import BundleInvalid, ImageUnreadable
from model.manifest import File, Manifest, Second
from model.page import UNKNOWN
from model.second import SecondReader
from model.sheet import SheetReader
from tests.model.graphs import BLUE, FACTS, GREEN, RED, SIDE

NO_FILE = {"path": "none", "sha256": "0" * 64}
RULES = {
    "detector": NO_FILE,
    "canvases": [{"height": 320, "width": 320}],
    "threshold": 0.5,
    "margin": 0.0,
    "review": 0.8,
    "pages": 2,
    "task_limit_ms": 60_000,
    "task_memory_bytes": 0,
}
SIZE = 40


def strongest(pixels: Pixels) -> Probabilities:
    """A member that knows red and green, and takes anything else for no character of the list."""
    assert pixels.shape == (SIDE, SIDE, 3)
    red, green, blue = pixels.mean(axis=(0, 1))
    likely = 0 if red > max(green, blue) else 1 if green > blue else 2
    return np.array([0.9 if n == likely else 0.05 for n in range(3)], np.float32)


class Given:
    """Finds what it was told to."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.found = list(found)

    def find(self, _: Image.Image) -> list[Found]:
        return self.found


def reader(
    folder: Path,
    found: Sequence[Found],
    *members: Network,
    exits: Sequence[float | None] = (),
    second: Network | None = None,
) -> SheetReader:
    (folder / "golden.png").write_bytes(sheet())
    manifest = Manifest.model_validate(
        {
            **FACTS,
            "members": [{"name": str(n), "graph": NO_FILE} for n, _ in enumerate(members)],
            "golden": [{"image": {"path": "golden.png", "sha256": "0" * 64}, "answer": "紅綠"}],
            "isnull": {"label": "isnull", "threshold": 0.5},
            "calibration": {"exits": exits},
            "sheet": RULES,
        }
    )
    bundle = Bundle(folder, manifest, "")
    rules = Second(graph=File(**NO_FILE), labels=("藍", "白"), least=0.6)
    return SheetReader(
        *(bundle, cast(Detector, Given(found)), Ensemble(bundle, members)),
        SecondReader(second, rules) if second else None,
    )


def sheet(*colours: tuple[int, int, int], kind: str = "PNG") -> bytes:
    """Squares of these colours in a row."""
    made = Image.new("RGB", (60 * max(1, len(colours)), 67), "white")
    for number, colour in enumerate(colours):
        made.paste(colour, (60 * number + 10, 10, 60 * number + 10 + SIZE, 10 + SIZE))
    stream = io.BytesIO()
    made.save(stream, kind)
    return stream.getvalue()


def row(count: int) -> list[Found]:
    return [Found(Box(60 * n + 10, 10, SIZE, SIZE), 0.9, False) for n in range(count)]


def characters(output: Any) -> list[dict[str, Any]]:
    return [one for page in output["pages"] for line in page["lines"] for one in line["characters"]]


def test_characters_are_read_in_order(tmp_path: Path) -> None:
    found = [Found(Box(130, 40, 9, 9), 0.7, True), *reversed(row(3))]

    reading = reader(tmp_path, found, strongest).read(sheet(GREEN, BLUE, RED))

    assert reading.answer == f"綠{UNKNOWN}紅"
    assert reading.settled
    (page,) = (reading.output or {})["pages"]
    assert (page["width"], page["height"], page["unit"]) == (180, 67, "pixel")
    assert [one["text"] for one in characters(reading.output)] == ["綠", None, "紅"]
    assert [one["review"] for one in characters(reading.output)] == [False, True, False]
    assert characters(reading.output)[0]["box"] == [10, 10, 40, 40]
    assert characters(reading.output)[0]["confidence"] == pytest.approx(0.9 / 0.95, abs=1e-4)
    assert page["lines"][0]["box"] == [10, 10, 160, 40]
    assert [one["box"] for one in page["print"]] == [[130, 40, 9, 9]]


def test_the_first_member_reads_characters_in_bunches_and_answers_as_one_by_one(
    tmp_path: Path,
) -> None:
    """Given six characters, of which four are a bunch, and a second member that is asked of all."""
    asked: list[int] = []

    def bunch(pixels: Pixels) -> Probabilities:
        asked.append(len(pixels))
        return np.stack([strongest(each) for each in pixels])

    colours = [RED, GREEN, BLUE, GREEN, RED, GREEN]
    alone = reader(tmp_path, row(6), strongest, strongest).read(sheet(*colours))
    together = reader(tmp_path, row(6), strongest, strongest)
    ensemble = together._ensemble
    ensemble.bunch = Bunch(ensemble, bunch, 1)
    assert together.read(sheet(*colours)).output == alone.output
    assert alone.answer == f"紅綠{UNKNOWN}綠紅綠"
    assert asked == [4]


def test_what_was_not_read_when_the_time_was_over_is_told_so(tmp_path: Path) -> None:
    """Given 20 characters, of which eight are read between two looks at the clock."""
    reading_sheets = reader(tmp_path, row(20), strongest)
    image = sheet(*[RED] * 20)

    first, second = islice(reading_sheets.readings(image), 2)

    assert not first.settled
    assert not second.settled
    assert (first.members, second.members) == (0, 0)
    assert first.answer == UNKNOWN * 20
    told = characters(second.output)
    assert [one["read"] for one in told] == [True] * 8 + [False] * 12
    assert [one["text"] for one in told] == ["紅"] * 8 + [None] * 12
    assert all(one["review"] for one in told[8:])
    assert reading_sheets.read(image).answer == "紅" * 20


def test_a_sheet_that_was_left_in_the_middle_is_gone_on_with(tmp_path: Path) -> None:
    """Given a worker that is interrupted after every eight characters, and comes back."""
    asked: list[int] = []

    def member(pixels: Pixels) -> Probabilities:
        asked.append(1)
        return strongest(pixels)

    reading_sheets, image = reader(tmp_path, row(20), member), sheet(*[RED] * 20)
    visits = 0
    last = next(reading_sheets.readings(image))
    while not last.settled:
        *_, last = islice(reading_sheets.readings(image), 2)
        visits += 1

    assert last.answer == "紅" * 20
    assert len(asked) == 20
    assert visits > 1


def test_two_who_read_one_sheet_in_turns_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Given a job that is left in the middle, and a caller with the same file."""
    reading_sheets, image = reader(tmp_path, row(20), strongest, strongest), sheet(*[BLUE] * 20)
    job = reading_sheets.readings(image)
    *_, before = islice(job, 2)
    caller = reading_sheets.read(image)
    *_, after = job
    assert [one["read"] for one in characters(before.output)] == [True] * 8 + [False] * 12
    assert caller.output == after.output


def test_further_members_are_asked_only_where_they_may_change_something(tmp_path: Path) -> None:
    asked: list[str] = []

    def first(pixels: Pixels) -> Probabilities:
        asked.append("first")
        sure = pixels[..., 0].mean() > pixels[..., 1].mean()
        return np.array([0.9, 0.1, 0] if sure else [0.6, 0.4, 0], np.float32)

    def second(_: Pixels) -> Probabilities:
        asked.append("second")
        return np.array([0, 1, 0], np.float32)

    reading = reader(tmp_path, row(2), first, second, exits=[0.8]).read(sheet(RED, GREEN))

    assert reading.answer == "紅綠"
    assert asked == ["first", "first", "second"]
    assert reading.members == 2


def test_only_all_members_together_refuse_a_character(tmp_path: Path) -> None:
    """Given a first member that takes everything for none of the list, and is sure of it."""

    def first(_: Pixels) -> Probabilities:
        return np.array([0, 0.1, 0.9], np.float32)

    def other(_: Pixels) -> Probabilities:
        return np.array([0, 0.95, 0.05], np.float32)

    reading = reader(tmp_path, row(1), first, other, exits=[0.8]).read(sheet(GREEN))

    assert (reading.answer, reading.members) == ("綠", 2)


def test_what_the_members_refuse_is_read_by_who_knows_it(tmp_path: Path) -> None:
    """Given a second reader that sees blue alone, and a last character of no colour."""
    asked: list[float] = []

    def knows_blue(pixels: Pixels) -> Probabilities:
        asked.append(float(pixels[..., 2].mean() - pixels[..., 0].mean()))
        return np.array([0.7, 0.2, 0.1] if asked[-1] > 100 else [0.1, 0.5, 0.4], np.float32)

    grey = (90, 90, 90)
    reading = reader(tmp_path, row(4), strongest, second=knows_blue).read(
        sheet(RED, BLUE, GREEN, grey)
    )

    assert reading.answer == f"紅藍綠{UNKNOWN}"
    assert len(asked) == 2
    blue, none = characters(reading.output)[1::2]
    assert (blue["text"], blue["confidence"], blue["review"]) == ("藍", 0.7, True)
    assert (none["text"], none["review"]) == (None, True)


def test_a_character_cut_out_as_it_is_sent_alone_is_read_alike(tmp_path: Path) -> None:
    """The same pixels come to the members, to the last bit."""
    seen: list[Pixels] = []

    def member(pixels: Pixels) -> Probabilities:
        seen.append(pixels)
        return strongest(pixels)

    image = sheet(GREEN)
    whole = reader(tmp_path, [Found(Box(0, 0, 60, 67), 1.0, False)], member)

    assert whole.read(image).answer == Ensemble(whole.bundle, [member]).read(image).answer == "綠"
    assert (seen[0] == seen[1]).all()


@pytest.mark.parametrize("found", [[], row(1)], ids=["nothing", "nothing of the list"])
def test_an_answer_is_never_empty(found: list[Found], tmp_path: Path) -> None:
    assert reader(tmp_path, found, strongest).read(sheet(BLUE)).answer == "isnull"


def test_a_page_that_cannot_be_read_does_not_cost_the_others(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (60, 67), RED), Image.new("F", (60, 67))]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])

    reading = reader(tmp_path, row(1), strongest).read(stream.getvalue())

    first, second = (reading.output or {})["pages"]
    assert first["lines"][0]["text"] == "紅"
    assert not second["looked_at"]
    assert "32-bit" in second["problem"]


def test_pages_that_were_not_come_to_are_told(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (60, 67), RED).save(
        stream, "TIFF", save_all=True, append_images=[Image.new("RGB", (60, 67), GREEN)]
    )
    first = next(reader(tmp_path, row(1), strongest).readings(stream.getvalue()))
    assert [page["looked_at"] for page in (first.output or {})["pages"]] == [True, False]


def test_a_file_of_one_broken_page_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable):
        reader(tmp_path, [], strongest).read(b"no picture")


def test_a_golden_sheet_that_reads_differently_is_refused(tmp_path: Path) -> None:
    other = reader(tmp_path, row(1), strongest)
    with pytest.raises(BundleInvalid, match="reads 'isnull', the manifest says '紅綠'"):
        other.check(other.bundle.manifest.golden[0])


def test_boxes_are_drawn_in_the_colours_of_their_confidence(tmp_path: Path) -> None:
    image = sheet(RED, BLUE)
    reading = reader(tmp_path, row(2), strongest).read(image)
    with Image.open(io.BytesIO(image)) as picture:
        made = drawn(picture.convert("RGB"), (reading.output or {})["pages"][0])
    assert made.getpixel((10, 30)) == (0, 150, 60)
    assert made.getpixel((70, 30)) == (215, 30, 40)
