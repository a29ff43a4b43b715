"""Memory: answers are kept by the ten thousands. What do they weigh, and do they slow anything?

Few images under many uuids: where answers are kept by content too, no engine limits the rate. The
weight of an image includes its first uuid. The first and the last tenth of the uuids are compared.
"""

from __future__ import annotations

import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Call, Patience, Record
from bench.load import Load, Measured
from bench.plots import draw_lines
from bench.quantiles import quantile
from bench.score import Score

HELP = "100,000 answers that are kept"
KEYS: tuple[str, ...] = ()
COMPARED = ("bytes a kept image", "bytes a kept uuid", "front MB at end")

_SAMPLES = 100


def add_arguments(parser: ArgumentParser) -> None:
    """How many, of how few images, and how fast."""
    add = parser.add_argument
    add("--requests", type=int, default=100_000)
    add("--distinct", type=int, default=2_000, help="different images")
    add("--rate", type=float, default=300, help="uuids per second")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """Redis and the front before and after, the first tenth and the last."""
    empty = _redis_bytes(load)
    images = [load.call() for _ in range(options.distinct)]
    # At half the capacity, so that all are computed when it begins.
    slowly = load.arrivals(load.capacity.per_s / 2, options.distinct)
    first = (replace(call, due_s=due_s) for call, due_s in zip(images, slowly, strict=True))
    load.run(first, patience(options), "images", options.distinct)

    samples: list[tuple[int, float | None]] = []
    seen = 0

    def see(_: Record) -> None:
        nonlocal seen
        seen += 1
        if seen % max(1, options.requests // _SAMPLES) == 0:
            samples.append((seen, _megabytes(load.target.front_bytes())))

    def calls() -> Iterator[Call]:
        for number, due_s in enumerate(load.arrivals(options.rate, options.requests)):
            image = images[number % options.distinct]
            yield replace(image, uuid=uuid.uuid4().hex, due_s=due_s)

    used = _redis_bytes(load)
    start_mb = _megabytes(load.target.front_bytes())
    run = load.run(calls(), patience(options), "memory", options.requests, see)
    score = Score(run.records, options.requests / options.rate)
    kept = len(score.answered)
    grown = _redis_bytes(load)
    end_mb = _megabytes(load.target.front_bytes())
    tenth = max(1, options.requests // 10)
    ordered = sorted(run.records, key=lambda record: record.call.due_s)
    early, late = Score(ordered[:tenth], 1), Score(ordered[-tenth:], 1)
    early_ms, late_ms = quantile(early.times_ms, 0.5), quantile(late.times_ms, 0.5)
    row: dict[str, Any] = {
        **score.columns(),
        "bytes a kept image": _each(empty, used, options.distinct),
        "bytes a kept uuid": _each(used, grown, kept),
        "front MB at start": start_mb,
        "front MB at end": end_mb,
        "p50 ms of the first tenth": early_ms,
        "p50 ms of the last tenth": late_ms,
        "last / first": late_ms / early_ms if early_ms and late_ms else None,
        **run.cost(),
    }
    return Measured([row], {"front MB": samples})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """The front's memory by how many were answered."""
    lines = {
        name: (
            [count for count, _ in each.series["front MB"]],
            [megabytes for _, megabytes in each.series["front MB"]],
        )
        for name, each in measured.items()
    }
    draw_lines(figure.subplots(), lines, "uuids answered", "MB resident, front")


def _redis_bytes(load: Load) -> int | None:
    redis = load.target.redis()
    if redis is None:
        return None
    with redis:
        return int(redis.info("memory")["used_memory"])


def _each(before: int | None, after: int | None, count: int) -> float | None:
    """What one of so many has added."""
    return None if before is None or after is None or not count else (after - before) / count


def _megabytes(count: int | None) -> float | None:
    return None if count is None else count / 2**20
