"""Storm: multiples of the measured capacity, each for a while, each followed by calm.

After a storm single images arrive ten times a second (less often on slow machines), until ten in a
row were answered in time by all members. The first of these tells how long the storm was felt.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from bench.caller import Call, Patience, Record
from bench.load import Load, Measured
from bench.plots import draw_lines
from bench.reference import full_accuracy
from bench.score import Score, percent

HELP = "0.5 to 8 times the capacity, and the calm after each"
KEYS = ("x C",)
COMPARED = ("in time %", "answered/s", "p99 ms")

_CALM_PER_S = 10
_CALM_OF_CAPACITY = 0.2
_IN_A_ROW = 10


def add_arguments(parser: ArgumentParser) -> None:
    """How hard, and how long."""
    add = parser.add_argument
    add("--levels", type=float, nargs="+", default=[0.5, 1, 2, 4, 8], help="multiples of C")
    add("--seconds", type=float, default=20, help="of each storm")
    add("--fresh", action="store_true", help="a connection of its own for each copy")
    add("--insist", action="store_true", help="send again, a second later, also what was refused")
    add("--heed", action="store_true", help="the same, when Retry-After says")
    add("--full-accuracy", action="store_true", help="read what was answered in full, afterwards")
    add("--calm", type=float, default=60, help="seconds after which recovery is not waited for")


def patience(options: Namespace) -> Patience:
    """The contest's, unless it insists or heeds."""
    insists = options.insist or options.heed
    return Patience(fresh=options.fresh, insists=insists, heeds=options.heed)


def measure(load: Load, options: Namespace) -> Measured:
    """A row for each level."""
    rows, seconds = [], []
    for level in options.levels:
        row, per_second, answered = _storm(load, level, options)
        if options.full_accuracy:
            row["accuracy in full %"] = percent(full_accuracy(options.bundle, answered))
        rows.append(row)
        seconds.append(per_second)
    return Measured(rows, {"capacity": load.capacity.per_s, "answered in each second": seconds})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Answers and their share, by how much came."""
    left, right = figure.subplots(1, 2)
    rates = {name: [row["uuids/s"] for row in each.rows] for name, each in measured.items()}
    for axes, column in ((left, "answered/s"), (right, "in time %")):
        lines = {
            name: (rates[name], [row[column] for row in each.rows])
            for name, each in measured.items()
        }
        draw_lines(axes, lines, "uuids sent in a second", column)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_ylim(bottom=0)
    # The same names twice would hide lines: where all are at 100 % there is no corner for them.
    right.get_legend().remove()


def _storm(
    load: Load, level: float, options: Namespace
) -> tuple[dict[str, Any], list[int], list[Record]]:
    rate = level * load.capacity.per_s
    count = max(1, round(rate * options.seconds))
    calm = _Calm(load, options.seconds, options.calm)

    def calls() -> Iterator[Call]:
        for due_s in load.arrivals(rate, count):
            yield load.call(due_s, "storm")
        yield from calm.calls()

    run = load.run(calls(), patience(options), f"storm {level:g} C", seen=calm.see)
    storm = [record for record in run.records if record.call.group == "storm"]
    score = Score(storm, options.seconds)
    row = {
        "x C": level,
        "uuids/s": rate,
        "answered/s": score.goodput,
        "answered / C": score.goodput / load.capacity.per_s,
        "full/s": score.full_goodput,
        **score.columns(),
        "full again after s": calm.recovered_s,
        **run.cost(),
    }
    per_second = [0] * (int(options.seconds) + 4)
    for record in score.answered:
        second = int(record.call.due_s + record.took_ms / 1000)
        per_second[min(second, len(per_second) - 1)] += 1
    return row, per_second, score.answered


class _Calm:
    """Single calls after a storm, until the service is as before."""

    def __init__(self, load: Load, begin_s: float, most_s: float) -> None:
        self._load, self._begin_s, self._most_s = load, begin_s, most_s
        self._rate = min(_CALM_PER_S, _CALM_OF_CAPACITY * load.capacity.per_s)
        self._full: dict[float, bool] = {}
        self._sent = 0
        self.recovered_s: float | None = None

    def calls(self) -> Iterator[Call]:
        """Asked for one by one, so that they end with the recovery."""
        for number in range(round(self._most_s * self._rate)):
            if self.recovered_s is not None:
                return
            self._sent = number + 1
            yield self._load.call(self._due_s(number), "calm")

    def see(self, record: Record) -> None:
        """Look for the first of so many full answers in a row."""
        if record.call.group != "calm" or self.recovered_s is not None:
            return
        self._full[record.call.due_s] = record.full and len(record.copies) == 1
        row: list[float] = []
        # One that is still under way interrupts a row: it may yet be late.
        for number in range(self._sent):
            due_s = self._due_s(number)
            row = [*row, due_s] if self._full.get(due_s) else []
            if len(row) == _IN_A_ROW:
                self.recovered_s = row[0] - self._begin_s
                return

    def _due_s(self, number: int) -> float:
        return self._begin_s + number / self._rate
