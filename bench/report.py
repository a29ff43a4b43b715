"""The report: report.json for machines, report.md for people, and a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from matplotlib.figure import Figure

from bench.load import Measured

_INCHES = (10, 4.5)
_THOUSAND = 1_000


class Drawing(Protocol):
    """What a report needs of a scenario."""

    @property
    def KEYS(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """Columns that name a row."""

    @property
    def COMPARED(self) -> tuple[str, ...]:  # noqa: N802
        """Columns whose ratio to ours is told."""

    def draw(self, figure: Figure, measured: dict[str, Measured]) -> None:
        """Draw what was measured."""


@dataclass
class Report:
    """What one run of the command line found; written anew after every target."""

    folder: Path
    title: str
    scenario: Drawing
    facts: dict[str, Any]
    measured: dict[str, Measured] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Each file whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = {
            "scenario": self.title,
            **self.facts,
            "measured": {name: asdict(each) for name, each in self.measured.items()},
            "missing": self.missing,
        }
        text = json.dumps(found, ensure_ascii=False, indent=1, default=str) + "\n"
        _put(self.folder / "report.json", text.encode())
        _put(self.folder / "report.md", self.markdown().encode())
        if self.measured:
            figure = Figure(figsize=_INCHES, layout="constrained")
            self.scenario.draw(figure, self.measured)
            beside = self.folder / f".{self.title}.png"
            figure.savefig(beside, dpi=120)
            beside.replace(self.folder / f"{self.title}.png")

    def markdown(self) -> str:
        """Facts, one table, ratios to ours where there is more than one target, what is missing."""
        parts = [f"# {self.title}", _facts(self.facts)]
        rows = [
            {"target": name, **row} for name, each in self.measured.items() for row in each.rows
        ]
        if rows:
            parts.append(table(rows))
        if self.scenario.COMPARED and (ratios := self._ratios()):
            first = next(iter(self.measured))
            parts += [f"As multiples of {first}:", table(ratios)]
        parts += [f"**{name}** was not measured: {why}" for name, why in self.missing.items()]
        return "\n\n".join(parts) + "\n"

    def _ratios(self) -> list[dict[str, Any]]:
        """Every other target's rows by those of the first with the same keys."""
        keys, compared = self.scenario.KEYS, self.scenario.COMPARED
        (_, ours), *others = [*self.measured.items()] or [("", Measured([]))]
        by_key = {tuple(row[key] for key in keys): row for row in ours.rows}
        return [
            {"target": name}
            | {key: row[key] for key in keys}
            | {
                column: _ratio(row, by_key.get(tuple(row[k] for k in keys)), column)
                for column in compared
            }
            for name, each in others
            for row in each.rows
        ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A markdown table of rows with the same columns; columns in which nobody has anything go."""
    columns = [column for column in rows[0] if any(row[column] is not None for row in rows)]
    lines = [_line(columns), _line(["---"] * len(columns))]
    lines += [_line([shown(row[column]) for column in columns]) for row in rows]
    return "\n".join(lines)


def shown(value: Any) -> str:
    """A cell: floats to three digits, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}"
    return str(value)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _facts(facts: Mapping[str, Any]) -> str:
    lines = []
    for name, value in facts.items():
        told = value
        if isinstance(value, Mapping):
            told = ", ".join(f"{key} {shown(each)}" for key, each in value.items())
        lines.append(f"- {name}: {told}")
    return "\n".join(lines)


def _ratio(row: Mapping[str, Any], ours: Mapping[str, Any] | None, column: str) -> float | None:
    value, base = row[column], ours and ours[column]
    return value / base if value is not None and base else None


def _put(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(data)
    beside.replace(path)
