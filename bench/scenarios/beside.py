"""Beside: what jobs cost the callers beside them, and what those leave them."""

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

HELP = "callers with and without jobs beside them"
KEYS = ("phase",)
COMPARED = ("in time %", "p99 ms")

_BEGUN_WITHIN_S = 60
# So many images are well within what a body may have.
_MOST_ITEMS = 1_500


def add_arguments(parser: ArgumentParser) -> None:
    """How loaded, and how long."""
    add = parser.add_argument
    add("--share", type=float, default=0.4, help="of C, the rate of the callers")
    add("--rush", type=float, default=2, help="of C, the rate of too many callers")
    add("--items", type=int, default=9_000, help="images of jobs, more than are read in a phase")
    add("--seconds", type=float, default=20, help="for each phase")
    add("--rounds", type=int, default=3, help="of callers alone and beside jobs, in turns")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """Callers alone and beside jobs in turns, jobs alone, and such beside too many callers.

    What is left to jobs beside callers is what they do alone, less the callers' share of C.

    Raises:
        BenchError: jobs are not taken, or too soon at their end.
    """
    turns = [("callers alone", options.share, False), ("both", options.share, True)]
    once = [("jobs alone", 0.0, True), ("rush", options.rush, True)]
    records: dict[str, list[Record]] = {phase: [] for phase, *_ in turns + once}
    per_s: dict[str, list[float]] = {phase: [] for phase in records}
    for phase, share, has_jobs in turns * options.rounds + once:
        jobs = _Jobs(load, options.items) if has_jobs else None
        records[phase] += _callers(load, options, phase, share)
        if jobs:
            per_s[phase].append(jobs.stop())
    rows, series = [], {}
    alone_per_s = per_s["jobs alone"][0]
    calm = Score(records["callers alone"], options.seconds * options.rounds)
    calm_ms = quantile(calm.times_ms, 0.99)
    for phase, share, _ in turns + once:
        rounds = max(1, len(per_s[phase]))
        score = Score(records[phase], options.seconds * rounds) if phase != turns[0][0] else calm
        p99_ms = quantile(score.times_ms, 0.99)
        items_per_s = sum(per_s[phase]) / rounds if per_s[phase] else None
        of_alone = items_per_s / alone_per_s if items_per_s is not None and alone_per_s else None
        left = 1 - share
        rows.append(
            {
                "phase": phase,
                **score.columns(),
                "p99 / alone": p99_ms / calm_ms if p99_ms and calm_ms else None,
                "items/s": items_per_s,
                "of jobs alone %": percent(of_alone),
                "of what is left %": percent(of_alone / left if of_alone and left > 0 else None),
            }
        )
        series[phase] = score.times_ms
    return Measured(rows, series)


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """How many callers are answered within how long, without and with jobs."""
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


class _Jobs:
    """Begun together, of more images than can be read while they are measured."""

    def __init__(self, load: Load, items: int) -> None:
        """Raises BenchError if they are not taken."""
        self._urls = []
        while items > 0:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for number in range(min(items, _MOST_ITEMS)):
                    archive.writestr(f"{number}.jpg", base64.b64decode(load.call().image))
            url = f"{load.target.url}/jobs/bench-{load.random.randrange(10**12)}"
            body = {"input": {"zip": base64.b64encode(buffer.getvalue()).decode()}}
            _asked("PUT", url, json.dumps(body).encode())
            self._urls.append(url)
            items -= _MOST_ITEMS
        until_s = time.monotonic() + _BEGUN_WITHIN_S
        while not self._read():
            if time.monotonic() > until_s:
                raise BenchError("no image of the jobs is read")
            time.sleep(0.1)
        self._before, self._since_s = self._read(), time.monotonic()

    def stop(self) -> float:
        """Cancel them; how many images a second were read since they were begun.

        Raises:
            BenchError: there were too few.
        """
        per_s = (self._read() - self._before) / (time.monotonic() - self._since_s)
        for url in self._urls:
            _asked("DELETE", url)
        ended = [self._state(url) for url in self._urls]
        if "cancelled" not in ended:
            raise BenchError("all images were read before the end of a phase: raise --items")
        return per_s

    def _read(self) -> int:
        told = [_asked("GET", url)["counts"] for url in self._urls]
        return sum(int(counts["succeeded"] + counts["failed"]) for counts in told)

    @staticmethod
    def _state(url: str) -> str:
        while not (told := _asked("GET", url))["ended_at"]:
            time.sleep(0.1)
        return str(told["state"])


def _asked(method: str, url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - our own
    try:
        with BROWSER.open(request, timeout=30) as reply:
            return json.load(reply)
    except OSError as error:
        raise BenchError(f"{method} {url}: {error}") from error
