"""Swap: a version is staged, promoted and rolled back while callers are served."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Call, Patience, Record
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantile
from bench.score import Score, percent
from model.bundle import MANIFEST, Bundle
from workers.contract.keys import ENTRY_PREFIX, line_and_subject

HELP = "stage, promote, rollback under load"
KEYS = ("phase",)
COMPARED = ("in time %", "p99 ms")

_NEXT = "next"
_CALM, _SWAP = "calm", "swap"


def add_arguments(parser: ArgumentParser) -> None:
    """How loaded, and how long before, between and after the steps."""
    add = parser.add_argument
    add("--share", type=float, default=0.4, help="of C, the rate of the callers")
    add("--calm", type=float, default=20, help="seconds before the first step")
    add("--between", type=float, default=10, help="seconds between the steps")


def patience(_: Namespace) -> Patience:
    """The contest's, that also sends again what was refused."""
    return Patience(insists=True)


def measure(load: Load, options: Namespace) -> Measured:
    """What callers saw before and during the swap, and under which version answers lie.

    Raises:
        BenchError: the service was not started here, or a step failed.
    """
    environment = load.target.environment
    rate = options.share * load.capacity.per_s
    with tempfile.TemporaryDirectory() as folder:
        swap = _Swap(load, options, environment, _next_version(options.bundle, Path(folder)))
        operator = threading.Thread(target=swap.run)
        calls = swap.calls(load.arrivals(rate))
        operator.start()
        run = load.run(calls, patience(options), "swap")
        operator.join()
    if swap.failed:
        raise BenchError(swap.failed)
    groups: dict[str, list[Record]] = {_CALM: [], _SWAP: []}
    for record in run.records:
        groups[record.call.group].append(record)
    calm, swapped = (quantile(Score(each, 1).times_ms, 0.99) for each in groups.values())
    rows = [
        _row(_CALM, groups[_CALM], rate) | {"p99 / calm": None, "filed wrongly": None},
        _row(_SWAP, groups[_SWAP], rate)
        | {
            "p99 / calm": swapped / calm if swapped and calm else None,
            "filed wrongly": _filed_wrongly(load),
        },
    ]
    print(f"seconds: {swap.told()}")
    return Measured(rows, {name: Score(each, 1).times_ms for name, each in groups.items()})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """How many are answered within how long, calm and while versions change."""
    (found,) = measured.values()
    draw_latencies(figure.subplots(), found.series)


class _Swap:
    """The operator: takes the steps, and decides which phase a call belongs to."""

    def __init__(
        self, load: Load, options: Namespace, environment: Mapping[str, str], bundle: Path
    ) -> None:
        self._load, self._options, self._bundle = load, options, bundle
        self._environment = environment
        self._algorithm = Bundle.open(bundle).manifest.name
        self._phase, self._ended = _CALM, False
        self._took_s: dict[str, float] = {}
        self.failed = ""

    def run(self) -> None:
        """The steps, one after another; ends the calls."""
        try:
            time.sleep(self._options.calm)
            self._phase = _SWAP
            self._step("stage", str(self._bundle))
            self._step("promote", f"{self._algorithm}/{_NEXT}")
            self._step("rollback", self._algorithm)
        except BenchError as error:
            self.failed = str(error)
        finally:
            self._ended = True

    def calls(self, due: Iterator[float]) -> Iterator[Call]:
        """Until the last step is over."""
        for due_s in due:
            if self._ended:
                return
            yield self._load.call(due_s, self._phase)

    def told(self) -> str:
        """How long each step took."""
        return ", ".join(f"{step} {took_s:.1f}" for step, took_s in self._took_s.items())

    def _step(self, *words: str) -> None:
        began_s = time.monotonic()
        run = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "-m", "workers", *words],
            env=dict(self._environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise BenchError(f"{words[0]}: {run.stderr}")
        self._took_s[words[0]] = time.monotonic() - began_s
        time.sleep(self._options.between)


def _row(phase: str, records: list[Record], rate: float) -> dict[str, Any]:
    score = Score(records, len(records) / rate)
    first = [record for record in score.answered if len(record.copies) == 1]
    return {
        "phase": phase,
        "rate/s": rate,
        **score.columns(),
        "first try %": percent(len(first) / len(records) if records else None),
    }


def _next_version(bundle: Path, folder: Path) -> Path:
    """The same bundle under another version."""
    copy = folder / "bundle"
    shutil.copytree(bundle, copy)
    manifest = copy / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": _NEXT}))
    return copy


def _filed_wrongly(load: Load) -> int | None:
    """Of all answers in Redis, those that lie under another version than the one that gave them."""
    redis = load.target.redis()
    if redis is None:
        return None
    wrong = 0
    for key in redis.scan_iter(f"{ENTRY_PREFIX}*"):
        result = redis.hget(key, "result")
        if result and json.loads(result)["bundle"] != line_and_subject(key.decode())[0]:
            wrong += 1
    return wrong
