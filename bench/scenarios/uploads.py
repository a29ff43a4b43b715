"""Uploads: what a large file costs the callers beside it, and the front in memory."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
import urllib.request
from argparse import ArgumentParser, Namespace
from threading import Event, Thread
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Patience
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantile
from bench.score import Score
from bench.target import Target
from deploy.run import BROWSER

HELP = "a large file by a ticket, beside callers"
KEYS = ("phase",)
COMPARED = ("in time %", "p99 ms")

_LOOK_EVERY_S = 0.1
_MB = 1_000_000
_LEAST_NICE = 19


def add_arguments(parser: ArgumentParser) -> None:
    """How loaded, how large and how fast."""
    add = parser.add_argument
    add("--share", type=float, default=0.4, help="of C, the rate of the callers")
    add("--megabytes", type=int, default=1_000, help="of the file")
    add("--pace", type=float, default=100, help="megabytes a second that the uploader sends")
    add("--rounds", type=int, default=3, help="of callers alone and beside an upload, in turns")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """Callers alone and beside an upload in turns, each for as long as an upload takes.

    Raises:
        BenchError: an upload is not taken, or not whole.
    """
    times_ms: dict[str, list[float]] = {"alone": [], "beside an upload": []}
    records: dict[str, list[Any]] = {phase: [] for phase in times_ms}
    seconds, memory = options.megabytes / options.pace, _Memory(load.target)
    before = memory.now
    for _ in range(options.rounds):
        for phase, phase_records in records.items():
            uploading = _begun(load.target, options) if phase != "alone" else None
            rate = options.share * load.capacity.per_s
            calls = (load.call(due_s) for due_s in load.arrivals(rate, round(rate * seconds)))
            run = load.run(calls, patience(options), phase, round(rate * seconds))
            phase_records.extend(run.records)
            if uploading:
                uploading.join()
                if uploading.exitcode:
                    raise BenchError("the upload failed: see above")
    most = memory.stop()
    rows = []
    for phase, phase_records in records.items():
        score = Score(phase_records, seconds * options.rounds)
        times_ms[phase] = score.times_ms
        p99_ms, alone_ms = quantile(score.times_ms, 0.99), quantile(times_ms["alone"], 0.99)
        rows.append(
            {
                "phase": phase,
                **score.columns(),
                "p99 / alone": p99_ms / alone_ms if p99_ms and alone_ms else None,
                "front MB before": before / _MB,
                "front MB at most": most / _MB,
            }
        )
    return Measured(rows, times_ms)


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """How many callers are answered within how long, without and with an upload."""
    (found,) = measured.values()
    draw_latencies(figure.subplots(), found.series)


class _Memory:
    """Looks at the front's memory, again and again."""

    def __init__(self, target: Target) -> None:
        self._target, self._ended = target, Event()
        self._most = self.now
        self._looking = Thread(target=self._look, daemon=True)
        self._looking.start()

    @property
    def now(self) -> int:
        """Bytes; 0 for a front that nobody has started here."""
        return self._target.front_bytes() or 0

    def stop(self) -> int:
        """The most that was seen, in bytes."""
        self._ended.set()
        self._looking.join()
        return self._most

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            self._most = max(self._most, self.now)


def _begun(target: Target, options: Namespace) -> Any:
    """In a process of its own, or the callers would share the interpreter with it."""
    spawned = multiprocessing.get_context("spawn")
    process = spawned.Process(
        target=upload, args=(target.url, options.megabytes * _MB, options.pace * _MB)
    )
    process.start()
    return process


def upload(url: str, size: int, bytes_per_s: float) -> None:
    """Send so many bytes by a ticket, part after part, no faster than that.

    It takes what the callers and the service leave of the cores: elsewhere it is another machine.

    Raises:
        OSError: the service refuses it, or is away.
    """
    os.nice(_LEAST_NICE)
    ticket = _asked(url, "POST", "/uploads", json.dumps({"bytes": size}).encode())
    noise, digest, sent = os.urandom(ticket["parts"][0]["bytes"]), hashlib.sha256(), 0
    began_s = time.monotonic()
    for part in ticket["parts"]:
        data = noise[: part["bytes"]]
        digest.update(data)
        _asked(url, "PUT", part["url"], data)
        sent += len(data)
        time.sleep(max(0.0, began_s + sent / bytes_per_s - time.monotonic()))
    whole = json.dumps({"sha256": digest.hexdigest()}).encode()
    _asked(url, "POST", ticket["completion"], whole)
    _asked(url, "DELETE", f"/uploads/{ticket['id']}")


def _asked(url: str, method: str, path: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url + path, body, method=method)  # noqa: S310 - our own
    with BROWSER.open(request, timeout=60) as reply:
        text = reply.read()
    return json.loads(text) if text else None
