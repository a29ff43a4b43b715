"""Evidence: every reply is told to the logbook. What is found of it, and does anybody wait for it?

Few images under many uuids. First undisturbed; then the logbook is killed twice, is stopped (as by
a disk that hangs), and may not let its files grow (as on a full disk), for a while each. Only for a
Punctual that is started for it, with EVIDENCE in the environment.
"""

from __future__ import annotations

import random
import time
import urllib.request
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from matplotlib.figure import Figure

from bench.caller import Call, Patience, Record
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantile
from bench.score import Score
from bench.service import Punctual
from deploy.run import BROWSER
from workers.contract.logbook import Logbook, Summary

HELP = "100,000 replies with their evidence, and a logbook in trouble"
KEYS = ("the logbook is",)
COMPARED = ("p50 ms", "p99 ms")

_LOOKS = 500
_LOCKED_MS = 5_000
# What came is written down about a second later, and when a disk serves again.
_CAUGHT_UP_WITHIN_S = 30


def add_arguments(parser: ArgumentParser) -> None:
    """How many, of how few images, and how fast."""
    add = parser.add_argument
    add("--requests", type=int, default=100_000)
    add("--disturbed", type=int, default=10_000, help="uuids while the logbook is in trouble, each")
    add("--distinct", type=int, default=500, help="different images")
    add("--rate", type=float, default=300, help="uuids per second")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """A row for each state of the logbook.

    Raises:
        BenchError: the service was not started for this.
    """
    target = load.target
    folder = target.environment.get("EVIDENCE") if isinstance(target, Punctual) else None
    if not isinstance(target, Punctual) or not folder:
        raise BenchError("needs a service of its own: EVIDENCE=folder python -m bench evidence")
    images = [load.call() for _ in range(options.distinct)]
    slowly = load.arrivals(load.capacity.per_s / 2, options.distinct)
    first = (replace(call, due_s=due_s) for call, due_s in zip(images, slowly, strict=True))
    load.run(first, patience(options), "images", options.distinct)

    trial = _Trial(load, target, Path(folder), images, options)
    rows = [
        trial.row("there", options.requests),
        trial.row("killed twice", options.disturbed, during=trial.kill),
        trial.row("stopped", options.disturbed, trial.stop, trial.go_on),
        trial.row("on a full disk", options.disturbed, trial.fill, trial.empty),
    ]
    return Measured(rows, {"ms": trial.times_ms})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """A curve of reply times for each state."""
    curves = {
        f"{name}: {state}": times
        for name, each in measured.items()
        for state, times in each.series["ms"].items()
    }
    draw_latencies(figure.subplots(), curves)


class _Trial:
    """One service, and its logbook in all its states."""

    def __init__(
        self, load: Load, target: Punctual, folder: Path, images: list[Call], options: Namespace
    ) -> None:
        self._load, self._target, self._folder = load, target, folder
        self._images, self._options = images, options
        self._random = random.Random(options.seed)  # noqa: S311
        self.times_ms: dict[str, list[float]] = {}

    def row(
        self,
        state: str,
        count: int,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
        during: Callable[[int], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Replies to so many uuids; ``during`` is told every third of them."""
        lost = self._summary().losses
        seen = 0

        def see(_: Record) -> None:
            nonlocal seen
            seen += 1
            if seen % (count // 3) == 0:
                during(seen)

        before()
        run = self._load.run(self._calls(count), patience(self._options), state, count, see)
        after()
        uuids = [record.call.uuid for record in run.records]
        found = self._await(uuids)
        summary = self._summary()
        score = Score(run.records, count / self._options.rate)
        self.times_ms[state] = score.times_ms
        looks_ms = [self._look_ms(each) for each in self._random.sample(found, _LOOKS)]
        return {
            "the logbook is": state,
            **score.columns(),
            "evidence found": len(found),
            "counted as dropped": summary.losses.dropped - lost.dropped,
            "as on their way": summary.losses.missed - lost.missed,
            "bytes a reply": summary.size_bytes / summary.replies,
            "look-up p50 ms": quantile(looks_ms, 0.5),
            "look-up p99 ms": quantile(looks_ms, 0.99),
            **run.cost(),
        }

    def kill(self, _: int) -> None:
        """It is started anew at once, as by its supervisor."""
        self._target.processes.kill("logbook")
        self._target.processes.start_again("logbook")

    def stop(self) -> None:
        """It does nothing from now on, as when its disk hangs."""
        self._process.suspend()

    def go_on(self) -> None:
        """The inverse."""
        self._process.resume()

    def fill(self) -> None:
        """No file of it can grow, as on a full disk."""
        self._limit(0)

    def empty(self) -> None:
        """The inverse."""
        self._limit(psutil.RLIM_INFINITY)

    @property
    def _process(self) -> psutil.Process:
        return self._target.processes.family("logbook")[0]

    def _limit(self, size: int) -> None:
        _, most = self._process.rlimit(psutil.RLIMIT_FSIZE)
        self._process.rlimit(psutil.RLIMIT_FSIZE, (size, most))

    def _calls(self, count: int) -> Iterator[Call]:
        for number, due_s in enumerate(self._load.arrivals(self._options.rate, count)):
            image = self._images[number % len(self._images)]
            yield replace(image, uuid=uuid.uuid4().hex, due_s=due_s)

    def _await(self, uuids: list[str]) -> list[str]:
        """Those of which there is evidence, as soon as there is no more of it to come."""
        until_s = time.monotonic() + _CAUGHT_UP_WITHIN_S
        found: list[str] = []
        while True:
            before = len(found)
            time.sleep(2)
            with Logbook(self._folder, _LOCKED_MS) as logbook:
                found = [each for each in uuids if logbook.of(each, 1)]
            if len(found) in (before, len(uuids)) or time.monotonic() > until_s:
                return found

    def _summary(self) -> Summary:
        with Logbook(self._folder, _LOCKED_MS) as logbook:
            return logbook.summary()

    def _look_ms(self, name: str) -> float:
        """As anybody would look it up."""
        began_s = time.perf_counter()
        request = urllib.request.Request(f"{self._target.url}/evidence/{name}")  # noqa: S310
        with BROWSER.open(request, timeout=5) as reply:
            reply.read()
        return (time.perf_counter() - began_s) * 1000
