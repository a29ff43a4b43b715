"""Flood: so much that the front is what is scarce, from a caller that costs next to nothing.

A caller written in Python takes more of the cores for a send than a front for a refusal. This one
is in C (bench/flood.c) and is compiled for the run: a C compiler is needed. Each copy has a
connection of its own and each uuid a picture of its own; what was refused is sent again, twice. A
second after each flood comes a calm caller.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from argparse import ArgumentParser, Namespace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from matplotlib.figure import Figure

from bench.caller import Patience
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.plots import draw_lines
from bench.score import Score

HELP = "many times more than can be answered, from a caller in C"
KEYS = ("uuids/s",)
COMPARED = ("answered/s", "in time %")

_SOURCE = Path(__file__).parents[1] / "flood.c"
# Different ones are made of these.
_PICTURES = 2_000
# Twelve digits: where flood.c expects a comment, and as long.
_COMMENT = 10**11
_CALM_AFTER_S = 1
_CALM, _CALM_PER_S = 10, 20


def add_arguments(parser: ArgumentParser) -> None:
    """How hard, and how long."""
    parser.add_argument("--rates", type=float, nargs="+", required=True, help="uuids a second")
    parser.add_argument("--seconds", type=float, default=6, help="of each flood")


def patience(options: Namespace) -> Patience:  # noqa: ARG001
    """That of the calm caller."""
    return Patience(fresh=True)


def measure(load: Load, options: Namespace) -> Measured:
    """A row for each rate."""
    with tempfile.TemporaryDirectory() as folder:
        program, pictures = Path(folder, "flood"), Path(folder, "pictures")
        _compile(program)
        images = (picture.base64 for picture in islice(load.pictures.marked(_COMMENT), _PICTURES))
        pictures.write_bytes(b"\n".join(images) + b"\n")
        return Measured([_flood(load, options, rate, program, pictures) for rate in options.rates])


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Answers, by how much came."""
    axes = figure.subplots()
    lines = {
        name: ([row["uuids/s"] for row in each.rows], [row["answered/s"] for row in each.rows])
        for name, each in measured.items()
    }
    draw_lines(axes, lines, "uuids sent in a second", "answered in time, a second")
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)


def _compile(program: Path) -> None:
    try:
        subprocess.run(["cc", "-O2", "-o", program, _SOURCE], check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"flood needs a C compiler, which is called cc: {error}") from error


def _flood(
    load: Load, options: Namespace, rate: float, program: Path, pictures: Path
) -> dict[str, Any]:
    before = load.target.cpu_s()
    port = urlsplit(load.target.url).port
    words = [str(each) for each in (program, port, rate, options.seconds, pictures)]
    told = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)  # noqa: S603
    after = load.target.cpu_s()
    parts = {part: (after[part] - before[part]) / options.seconds for part in after}
    time.sleep(_CALM_AFTER_S)
    calls = [load.call(number / _CALM_PER_S) for number in range(_CALM)]
    calm = Score(load.run(calls, patience(options), "calm", _CALM).records, 1)
    return {
        "uuids/s": rate,
        "calls": told["calls"],
        "answered/s": told["in_time"] / options.seconds,
        "in time %": 100 * told["in_time"] / told["uuids"],
        "p50 ms": told["p50_ms"],
        "p99 ms": told["p99_ms"],
        "refused": told["refused"],
        "refusal p99 ms": told["refusal_p99_ms"],
        "told late": told["late"],
        "closed": told["closed"],
        "other": told["other"],
        "no reply": told["no_reply"],
        "calm p99 ms": max(calm.times_ms, default=None) if len(calm.answered) == _CALM else None,
        "caller cores": told["cores"],
        "caller lag ms": told["lag_ms"],
        "cores": ", ".join(f"{part} {cores:.2f}" for part, cores in parts.items()) or None,
    }
