"""Beside: what a job costs the callers beside it, and what they leave it."""

from __future__ import annotations

import base64
import io
import json
import time
import urllib.request
import zipfile
from argparse import ArgumentParser, Namespace
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Patience, Record
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantile
from bench.score import Score, percent
from deploy.run import BROWSER

HELP = "callers with and without a job beside them"
KEYS = ("phase",)
COMPARED = ("in time %", "p99 ms")

_BEGUN_WITHIN_S = 60


def add_arguments(parser: ArgumentParser) -> None:
    """How loaded, and how long."""
    add = parser.add_argument
    add("--share", type=float, default=0.4, help="of C, the rate of the callers")
    add("--rush", type=float, default=2, help="of C, the rate of too many callers")
    add("--items", type=int, default=1_500, help="images of a job, more than are read in a phase")
    add("--seconds", type=float, default=20, help="for each phase")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """Callers alone, the job alone, both, and the job beside too many callers.

    What is left to the job beside callers is what it does alone, less their share of C.

    Raises:
        BenchError: the job is not taken.
    """
    rows, series = [], {}
    alone_per_s = calm_ms = None
    for phase, share, has_job in (
        ("callers alone", options.share, False),
        ("job alone", 0.0, True),
        ("both", options.share, True),
        ("rush", options.rush, True),
    ):
        job = _Job(load, options.items) if has_job else None
        records = _callers(load, options, phase, share)
        per_s = job.stop() if job else None
        score = Score(records, options.seconds)
        p99_ms = quantile(score.times_ms, 0.99)
        if phase == "callers alone":
            calm_ms = p99_ms
        elif phase == "job alone":
            alone_per_s = per_s
        of_alone = per_s / alone_per_s if per_s is not None and alone_per_s else None
        left = 1 - share
        rows.append(
            {
                "phase": phase,
                **score.columns(),
                "p99 / alone": p99_ms / calm_ms if p99_ms and calm_ms else None,
                "items/s": per_s,
                "of the job alone %": percent(of_alone),
                "of what is left %": percent(of_alone / left if of_alone and left > 0 else None),
            }
        )
        series[phase] = score.times_ms
    return Measured(rows, series)


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """How many callers are answered within how long, without and with the job."""
    (found,) = measured.values()
    lines = {phase: times_ms for phase, times_ms in found.series.items() if times_ms}
    draw_latencies(figure.subplots(), lines)


def _callers(load: Load, options: Namespace, phase: str, share: float) -> list[Record]:
    if not share:
        time.sleep(options.seconds)
        return []
    rate = share * load.capacity.per_s
    count = round(rate * options.seconds)
    calls = (load.call(due_s) for due_s in load.arrivals(rate, count))
    return load.run(calls, patience(options), phase, count).records


class _Job:
    """One that is begun, of more images than can be read while it is measured."""

    def __init__(self, load: Load, items: int) -> None:
        """Raises BenchError if it is not taken."""
        self._path = f"{load.target.url}/jobs/bench-{load.random.randrange(10**12)}"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(items):
                archive.writestr(f"{number}.jpg", base64.b64decode(load.call().image))
        body = {"input": {"zip": base64.b64encode(buffer.getvalue()).decode()}}
        self._asked("PUT", json.dumps(body).encode())
        until_s = time.monotonic() + _BEGUN_WITHIN_S
        while not self._read():
            if time.monotonic() > until_s:
                raise BenchError("no image of the job is read")
            time.sleep(0.1)
        self._before, self._since_s = self._read(), time.monotonic()

    def stop(self) -> float:
        """Cancel it; how many images a second were read since it was begun."""
        per_s = (self._read() - self._before) / (time.monotonic() - self._since_s)
        self._asked("DELETE")
        while not self._asked("GET")["ended_at"]:
            time.sleep(0.1)
        return per_s

    def _read(self) -> int:
        counts = self._asked("GET")["counts"]
        return int(counts["succeeded"] + counts["failed"])

    def _asked(self, method: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(self._path, body, method=method)  # noqa: S310 - our own
        try:
            with BROWSER.open(request, timeout=30) as reply:
                return json.load(reply)
        except OSError as error:
            raise BenchError(f"{method} {self._path}: {error}") from error
