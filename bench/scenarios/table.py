"""Table: calls one after another, all at once, and scattered over a while; means of some repeats.

The experiment with which serving designs for object detection were once compared.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from statistics import mean

from matplotlib.figure import Figure

from bench.caller import Caller, Patience, Record
from bench.load import Load, Measured
from bench.plots import draw_bars

HELP = "100 calls: serial, concurrent, random within 20 s"
KEYS = ("calls are",)
COMPARED = ("mean ms", "end s")


def add_arguments(parser: ArgumentParser) -> None:
    """How many, and how often."""
    add = parser.add_argument
    add("--requests", type=int, default=100)
    add("--repeats", type=int, default=10)
    add("--within", type=float, default=20, help="seconds over which random calls are scattered")


def patience(_: Namespace) -> Patience:
    """Nobody is in a hurry."""
    return Patience(limit_ms=30_000, resends=0, prefer=True)


def measure(load: Load, options: Namespace) -> Measured:
    """Mean time of an answer, and when the last one came."""
    count = options.requests
    ways: dict[str, Callable[[], list[Record]]] = {
        "serial": lambda: _serial(load, options),
        "concurrent": lambda: _run(load, [0.0] * count, options),
        "random": lambda: _run(load, _scattered(load, options), options),
    }
    rows = []
    for name, way in ways.items():
        repeats = [way() for _ in range(options.repeats)]
        answered = [[record for record in each if record.answer is not None] for each in repeats]
        means_ms = [mean(record.took_ms for record in each) for each in answered if each]
        ends_s = [
            max(record.call.due_s + record.took_ms / 1000 for record in each)
            for each in answered
            if each
        ]
        rows.append(
            {
                "calls are": name,
                "answered %": 100 * sum(map(len, answered)) / (count * options.repeats),
                "mean ms": mean(means_ms) if means_ms else None,
                "end s": mean(ends_s) if ends_s else None,
            }
        )
    return Measured(rows)


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Means, a panel for each way to call."""
    for place, axes in enumerate(figure.subplots(1, 3)):
        values = {name: each.rows[place]["mean ms"] for name, each in measured.items()}
        way = next(iter(measured.values())).rows[place]["calls are"]
        draw_bars(axes, values, f"{way}: mean ms")


def _scattered(load: Load, options: Namespace) -> list[float]:
    return sorted(load.random.uniform(0, options.within) for _ in range(options.requests))


def _run(load: Load, due: list[float], options: Namespace) -> list[Record]:
    calls = [load.call(due_s) for due_s in due]
    return load.run(calls, patience(options), "table", len(calls)).records


def _serial(load: Load, options: Namespace) -> list[Record]:
    records: list[Record] = []

    async def ask(caller: Caller) -> None:
        end_s = 0.0
        for _ in range(options.requests):
            record = await caller.ask(load.call(end_s))
            end_s += record.took_ms / 1000
            records.append(record)

    load.with_caller(patience(options), ask)
    return records
