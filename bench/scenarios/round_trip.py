"""Round trip: what does the house add to the engine?

Distinct uuids at a steady rate, each once more a moment later. The engine's own time comes with
each answer, in Server-Timing; the bare ensemble, read in this process between the calls, is the
alternative, and a busy machine slows both.
"""

from __future__ import annotations

import asyncio
import base64
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from bench.caller import Call, Caller, Patience, Record
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantiles

HELP = "what HTTP and the queue add to the engine"
KEYS = ("time of",)
COMPARED = ("p50 ms", "p99 ms")


def add_arguments(parser: ArgumentParser) -> None:
    """How many, and how fast."""
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rate", type=float, default=5, help="uuids per second")


def patience(_: Namespace) -> Patience:
    """One copy each: the second is sent here, once the first is answered."""
    return Patience(resends=0)


def measure(load: Load, options: Namespace) -> Measured:
    """Whole, engine, the difference, a finished uuid, and the bare ensemble."""
    period_s = 1 / options.rate
    records: list[Record] = []
    bare_ms: list[float] = []

    def calls() -> Iterator[Call]:
        for number in range(options.requests):
            call = load.call(number * period_s, "whole")
            yield call
            yield replace(call, due_s=call.due_s + period_s / 3, group="finished")

    async def work(caller: Caller) -> None:
        with ThreadPoolExecutor(1) as thread:
            alone = _Alone(thread, options.bundle, [load.call().image for _ in range(50)])
            await alone.load()
            sent = asyncio.create_task(caller.run(calls(), records.append))
            for number in range(options.requests):
                await asyncio.sleep(period_s * (2 / 3 if number == 0 else 1))
                bare_ms.append(await alone.read_ms())
            await sent

    load.with_caller(patience(options), work)
    answered = [record for record in records if record.answer is not None]
    first = [record for record in answered if record.call.group == "whole"]
    timed = [(each.took_ms, each.compute_ms) for each in first if each.compute_ms is not None]
    times_ms = {
        "whole": [record.took_ms for record in first],
        "engine": [engine_ms for _, engine_ms in timed],
        "whole minus engine": [whole_ms - engine_ms for whole_ms, engine_ms in timed],
        "finished uuid": [record.took_ms for record in answered if record.call.group == "finished"],
        "bare": bare_ms,
    }
    rows = [{"time of": name, **quantiles(times)} for name, times in times_ms.items()]
    return Measured(rows, {"ms": times_ms})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """A curve for each kind of time."""
    curves = {
        f"{name}: {kind}": times
        for name, each in measured.items()
        for kind, times in each.series["ms"].items()
    }
    draw_latencies(figure.subplots(), curves)


class _Alone:
    """The bare ensemble on a thread of its own, so that the caller goes on."""

    def __init__(self, thread: ThreadPoolExecutor, bundle: Path, images: list[bytes]) -> None:
        self._thread, self._bundle, self._images = thread, bundle, images
        self._loop = asyncio.get_running_loop()
        self._number = 0

    async def load(self) -> None:
        from bench.peers.reader import load

        self._ensemble = await self._loop.run_in_executor(
            self._thread, load, self._bundle, "openvino"
        )

    async def read_ms(self) -> float:
        return await self._loop.run_in_executor(self._thread, self._read)

    def _read(self) -> float:
        image = base64.b64decode(self._images[self._number % len(self._images)])
        self._number += 1
        began_s = time.perf_counter()
        self._ensemble.read(image)
        return (time.perf_counter() - began_s) * 1000
