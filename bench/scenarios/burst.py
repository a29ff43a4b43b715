"""Burst: distinct images all at once, from callers who say how long they wait."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from matplotlib.figure import Figure

from bench.caller import Patience
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.score import Score

HELP = "1,000 images at once"
KEYS: tuple[str, ...] = ()
COMPARED = ("in time %", "last after s")


def add_arguments(parser: ArgumentParser) -> None:
    """How many, and how long they wait."""
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--wait", type=float, default=10, help="Prefer: wait, seconds")


def patience(options: Namespace) -> Patience:
    """One copy each, and the server is told how long its caller waits."""
    return Patience(limit_ms=round(options.wait * 1000), resends=0, prefer=True)


def measure(load: Load, options: Namespace) -> Measured:
    """Who was answered, and when the last was."""
    calls = [load.call() for _ in range(options.requests)]
    run = load.run(calls, patience(options), "burst", options.requests)
    score = Score(run.records, options.wait)
    row = {
        **score.columns(),
        "last after s": max(score.times_ms, default=0) / 1000,
        **run.cost(),
    }
    return Measured([row], {"ms": score.times_ms, "statuses": score.statuses})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """How many are answered within how long."""
    draw_latencies(figure.subplots(), {name: each.series["ms"] for name, each in measured.items()})
