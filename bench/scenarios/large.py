"""Large: does a crowd with large images get as many answers as a few callers do?

Callers in a closed loop: each sends the next image when it has the reply to the last. Every one is
a file of its own, of noise, so that it costs what its size says to carry and to decode.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from argparse import ArgumentParser, Namespace
from collections import Counter
from itertools import count
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Call, Caller, Patience
from bench.load import Load, Measured
from bench.pictures import Picture
from bench.plots import draw_lines

HELP = "large images from few callers and from many"
KEYS = ("image MB", "callers")
COMPARED = ("answers per s",)


def add_arguments(parser: ArgumentParser) -> None:
    """How large, how many, how long."""
    add = parser.add_argument
    add("--megabytes", default="0.7,2", help="sizes, separated by commas")
    add("--callers", default="4,24", help="numbers of callers, separated by commas")
    add("--seconds", type=float, default=15, help="for each of them")


def patience(_: Namespace) -> Patience:
    """The contest's second, and no re-sends: the next image comes at once."""
    return Patience(resends=0)


def measure(load: Load, options: Namespace) -> Measured:
    """Answers per second for every size and number of callers."""
    rows: list[dict[str, Any]] = []
    for size in map(float, options.megabytes.split(",")):
        picture = Picture.of_noise(size * 1e6)
        fewest: float | None = None
        for callers in map(int, options.callers.split(",")):
            statuses = _crowd(load, picture, callers, options)
            rate = statuses[200] / options.seconds
            fewest = fewest or rate
            rows.append(
                {
                    "image MB": len(picture.jpeg) / 1e6,
                    "callers": callers,
                    "answers per s": rate,
                    "of the first": rate / fewest if fewest else None,
                    "statuses": ", ".join(f"{s}: {n}" for s, n in sorted(statuses.items())),
                }
            )
    return Measured(rows)


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Answers by callers, a line for each size."""
    lines = {}
    for name, each in measured.items():
        for size in dict.fromkeys(row["image MB"] for row in each.rows):
            rows = [row for row in each.rows if row["image MB"] == size]
            lines[f"{name}: {size:.1f} MB"] = (
                [row["callers"] for row in rows],
                [row["answers per s"] for row in rows],
            )
    draw_lines(figure.subplots(), lines, "callers", "answers per s")


def _crowd(load: Load, picture: Picture, callers: int, options: Namespace) -> Counter[int]:
    """How many replies of each status so many callers get."""
    numbers = count(load.random.randrange(10**9))
    statuses: Counter[int] = Counter()

    async def work(caller: Caller) -> None:
        until_s = time.monotonic() + options.seconds

        async def one() -> None:
            while time.monotonic() < until_s:
                image = picture.marked(next(numbers)).base64
                record = await caller.ask(Call(uuid.uuid4().hex, image, picture.label, 0.0))
                statuses[record.copies[-1].status] += 1
                if record.answer is None:
                    # Who is refused does not come again within the same moment.
                    await asyncio.sleep(0.1)

        await asyncio.gather(*(one() for _ in range(callers)))

    load.with_caller(patience(options), work)
    return statuses
