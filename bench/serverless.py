"""The function without servers: cold, warm, under a steady load, and in a burst.

One execution environment on one core, as AWS gives one to each call that is under way: a process
of Lambda's own runtime, and a stub of its Runtime API. What AWS itself takes is not in it: to route
a call, and before a start to fetch the image.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.errors import BenchError
from bench.load import Measured
from bench.pictures import Pictures
from bench.plots import draw_latencies
from bench.quantiles import quantiles
from bench.runtime_api import LambdaEnvironment
from model.bundle import Bundle

HELP = "a Lambda function on one core, cold and warm; needs no server"
KEYS = ("what",)
COMPARED: tuple[str, ...] = ()

_IN_TIME_MS = 1_000
_VARIANTS = 200
_MEGABYTE = 1e6


def add_arguments(parser: ArgumentParser) -> None:
    """How often, how fast, how many."""
    add = parser.add_argument
    add("--starts", type=int, default=5, help="of an environment, each with its first call")
    add("--calls", type=int, default=300, help="one after the other, and as many steadily")
    add("--load", type=float, default=0.7, help="of the steady calls, in parts of what it can do")
    add("--burst", type=int, default=100, help="calls at the same moment, warm and from nothing")


def measure(options: Namespace) -> dict[str, Measured]:
    """Times from the moment a call was due, and memory, under the bundle's name."""
    events = _events(Pictures.varied(options.bundle, _VARIANTS, options.seed))
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(options.bundle, Path(folder), events)
        series = {"cold": [bench.burst_ms(1)[-1] for _ in range(options.starts)]}
        with bench.environment() as environment:
            bench.times_ms(environment, [0])
            series["warm"] = [bench.times_ms(environment, [0])[0] for _ in range(options.calls)]
            every_s = sum(series["warm"]) / options.calls / 1000 / options.load
            due = [number * every_s for number in range(options.calls)]
            series["steady"] = bench.times_ms(environment, due)
            series["burst"] = bench.times_ms(environment, [0] * options.burst)
            megabytes = environment.resident_bytes / _MEGABYTE
        series["burst from nothing"] = bench.burst_ms(options.burst)
    rows = [
        {
            "what": what,
            "calls": len(times),
            "in time %": 100 * sum(each <= _IN_TIME_MS for each in times) / len(times),
            **quantiles(times),
            "last after s": max(times) / 1000,
            "MB": megabytes,
        }
        for what, times in series.items()
    ]
    return {Bundle.open(options.bundle).id: Measured(rows, {"ms": series})}


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """A curve for each way to call."""
    (found,) = measured.values()
    draw_latencies(figure.subplots(), found.series["ms"])


class _Bench:
    """Environments, one at a time, on the machine's first core; the caller has the others."""

    def __init__(self, bundle: Path, folder: Path, events: Iterator[dict[str, Any]]) -> None:
        self._bundle = bundle
        self._folder = folder
        self._events = events
        self._core, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, others or {self._core})

    def environment(self) -> LambdaEnvironment:
        own = {"BUNDLE": str(self._bundle.resolve()), "THREADS": "1", "REDIS_URL": ""}
        return LambdaEnvironment(self._folder, {**os.environ, **own}, self._core)

    def burst_ms(self, count: int) -> list[float]:
        """Of so many calls, from the moment at which there is nothing yet."""
        environment = self.environment()
        began_s = time.perf_counter()
        with environment:
            return self.times_ms(environment, [0] * count, began_s)

    def times_ms(
        self, environment: LambdaEnvironment, due: Sequence[float], began_s: float | None = None
    ) -> list[float]:
        """One call after the other, ``due`` in seconds from the beginning."""
        began_s = time.perf_counter() if began_s is None else began_s
        invocations = []
        for due_s in due:
            event = next(self._events)
            time.sleep(max(0.0, began_s + due_s - time.perf_counter()))
            invocations.append(environment.invoke(event))
        ended = [environment.returned(each) for each in invocations]
        if refused := [each.reply for each in ended if each.reply["statusCode"] != HTTPStatus.OK]:
            raise BenchError(f"{len(refused)} calls were refused, as {refused[0]['body']}")
        return [
            (each.at_s - began_s - due_s) * 1000 for each, due_s in zip(ended, due, strict=True)
        ]


def _events(pictures: Pictures) -> Iterator[dict[str, Any]]:
    """As API Gateway sends them."""
    for picture in pictures:
        body = {
            "esun_uuid": uuid.uuid4().hex,
            "esun_timestamp": 0,
            "image": picture.base64.decode(),
            "retry": 2,
        }
        yield {
            "version": "2.0",
            "rawPath": "/inference",
            "headers": {"content-type": "application/json"},
            "requestContext": {"http": {"method": "POST", "path": "/inference"}},
            "body": json.dumps(body),
            "isBase64Encoded": False,
        }
