"""Steady: distinct images at an even rate, far below what the machine can do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from matplotlib.figure import Figure

from bench.caller import Patience
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantile
from bench.score import Score

HELP = "10,000 images at 5/s"
KEYS: tuple[str, ...] = ()
COMPARED = ("in time %", "p50 ms", "p99 ms")


def add_arguments(parser: ArgumentParser) -> None:
    """How many, and how fast."""
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=5, help="uuids per second")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """Latencies beside those of the bare engine."""
    calls = (load.call(due_s) for due_s in load.arrivals(options.rate, options.requests))
    run = load.run(calls, patience(options), "steady", options.requests)
    score = Score(run.records, options.requests / options.rate)
    engine_ms = [record.compute_ms for record in score.answered if record.compute_ms is not None]
    p99_ms, bare_ms = quantile(score.times_ms, 0.99), load.capacity.alone_ms
    row = {
        **score.columns(),
        "engine p50 ms": quantile(engine_ms, 0.5),
        "bare engine ms": bare_ms,
        "p99 / bare": p99_ms / bare_ms if p99_ms else None,
        **run.cost(),
    }
    return Measured([row], {"ms": score.times_ms, "statuses": score.statuses})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """How many are answered within how long."""
    draw_latencies(figure.subplots(), {name: each.series["ms"] for name, each in measured.items()})
