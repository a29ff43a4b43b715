"""Duplicates: many copies of few uuids, and then what a finished uuid costs."""

from __future__ import annotations

import asyncio
import time
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Call, Caller, Patience
from bench.load import Load, Measured
from bench.plots import draw_bars
from bench.score import Score

HELP = "10,000 copies of 100 uuids"
KEYS: tuple[str, ...] = ()
COMPARED = ("executions", "finished uuids/s", "finished uuids a core second")

# Metrics of a service may be as old as this.
_SETTLE_S = 1.0


def add_arguments(parser: ArgumentParser) -> None:
    """How many of how many."""
    add = parser.add_argument
    add("--requests", type=int, default=10_000, help="copies of all uuids together")
    add("--uuids", type=int, default=100)
    add("--rate", type=float, default=500, help="copies per second")
    add("--connections", type=int, default=16, help="that ask for finished uuids")
    add("--seconds", type=float, default=10, help="of asking for finished uuids")


def patience(_: Namespace) -> Patience:
    """One copy each: they are copies already. Who waits longer than a second may."""
    return Patience(limit_ms=10_000, resends=0, prefer=True)


def measure(load: Load, options: Namespace) -> Measured:
    """Executions, and finished uuids in a second."""
    distinct = [load.call() for _ in range(options.uuids)]
    calls = [distinct[number % options.uuids] for number in range(options.requests)]
    load.random.shuffle(calls)
    due = load.arrivals(options.rate, options.requests)
    before = _executions(load)
    run = load.run(
        (replace(call, due_s=due_s) for call, due_s in zip(calls, due, strict=True)),
        patience(options),
        "duplicates",
        options.requests,
    )
    after = _executions(load)
    score = Score(run.records, options.requests / options.rate)
    answers = defaultdict(set)
    for record in score.answered:
        answers[record.call.uuid].add(record.answer)
    row = {
        "copies": len(run.records),
        "distinct uuids": options.uuids,
        "executions": None if before is None or after is None else after - before,
        "uuids of two answers": sum(len(each) > 1 for each in answers.values()),
        "in time %": score.columns()["in time %"],
        **_finished(load, distinct, options),
    }
    return Measured([row], {"statuses": score.statuses})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Executions beside the rate of finished uuids."""
    for axes, column in zip(figure.subplots(1, 2), ("executions", "finished uuids/s"), strict=True):
        draw_bars(axes, {name: each.rows[0][column] for name, each in measured.items()}, column)


def _executions(load: Load) -> int | None:
    """Of everything that has been answered by now."""
    if load.target.executions() is None:
        return None
    time.sleep(_SETTLE_S)
    return load.target.executions()


def _finished(load: Load, distinct: list[Call], options: Namespace) -> dict[str, Any]:
    """So many connections that ask again as soon as they are answered."""
    answered = 0

    async def ask(caller: Caller) -> None:
        until_s = time.monotonic() + options.seconds

        async def one(first: int) -> None:
            nonlocal answered
            number = first
            while time.monotonic() < until_s:
                record = await caller.ask(distinct[number % len(distinct)])
                answered += record.answer is not None
                number += options.connections

        await asyncio.gather(*(one(number) for number in range(options.connections)))

    before = sum(load.target.cpu_s().values())
    load.with_caller(patience(options), ask)
    used_s = sum(load.target.cpu_s().values()) - before
    return {
        "finished uuids/s": answered / options.seconds,
        "finished uuids a core second": answered / used_s if used_s else None,
    }
