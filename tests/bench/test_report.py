"""What is written, and that ratios are to the first target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from bench.load import Measured
from bench.report import Report, shown, table


class Plain:
    KEYS = ("x C",)
    COMPARED = ("answered/s",)

    def draw(self, figure: Figure, measured: dict[str, Measured]) -> None:
        figure.subplots().plot([row["x C"] for each in measured.values() for row in each.rows])


def rows(*rates: tuple[float, float | None]) -> Measured:
    return Measured([{"x C": level, "answered/s": rate, "nobody": None} for level, rate in rates])


@pytest.fixture
def report(tmp_path: Path) -> Report:
    facts: dict[str, Any] = {"machine": {"cores": 2}}
    measured = {"punctual": rows((1, 50.0), (2, 40.0)), "peer": rows((1, 25.0), (2, None))}
    return Report(tmp_path / "out", "storm", Plain(), facts, measured, {"triton": "no wheel"})


def test_files(report: Report) -> None:
    report.write()
    found = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
    assert found["measured"]["peer"]["rows"][0]["answered/s"] == 25
    assert found["missing"] == {"triton": "no wheel"}
    assert (report.folder / "storm.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in report.folder.iterdir()} == {
        "report.json",
        "report.md",
        "storm.png",
    }


def test_markdown_tells_rows_ratios_and_what_is_missing(report: Report) -> None:
    text = report.markdown()
    assert "| punctual | 1 | 50 |" in text
    assert "| peer | 1 | 0.5 |" in text
    assert "| peer | 2 | - |" in text
    assert "nobody" not in text
    assert "**triton** was not measured: no wheel" in text
    assert "- machine: cores 2" in text


def test_one_target_has_no_ratios(report: Report) -> None:
    del report.measured["peer"]
    assert "multiples" not in report.markdown()


def test_nothing_measured_is_a_report_too(tmp_path: Path) -> None:
    report = Report(tmp_path, "storm", Plain(), {}, {}, {"punctual": "no Redis"})
    report.write()
    assert "no Redis" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, "-"), (0.12345, "0.123"), (12345.6, "12346"), (7, "7"), ("front 1.2", "front 1.2")],
)
def test_cells(value: Any, cell: str) -> None:
    assert shown(value) == cell


def test_a_column_in_which_nobody_has_anything_goes() -> None:
    assert table([{"a": None, "b": 1}, {"a": None, "b": 2}]) == "| b |\n| --- |\n| 1 |\n| 2 |"
