"""Accounts: what a key and its limits cost a request, and what a greedy account costs the others.

Kept answers under new uuids, in turns from a service without accounts and from one that has 2,000
of them, since there is no engine whose time would hide the difference. Then callers of 1,000
accounts with distinct images, alone, beside one account at its rate, and beside the same one at ten
times that.
"""

from __future__ import annotations

import tempfile
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from heapq import merge
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.caller import Call, Caller, Patience, Record
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.plots import draw_latencies
from bench.quantiles import quantiles
from bench.score import Score, percent
from bench.service import Punctual
from workers.contract.account import Account, Limits
from workers.contract.accounts import Accounts
from workers.contract.clock import wall_clock_ms

HELP = "what accounts cost a request, and a greedy one the others"
KEYS = ("phase",)
COMPARED = ()

# Far above what anybody here asks.
_AMPLE = Limits(rate=1_000, burst=1_000, quota=1e9)
_LOCKED_MS = 5_000
_TIMES = 10


def add_arguments(parser: ArgumentParser) -> None:
    """How many of what, and for how long."""
    add = parser.add_argument
    add("--keys", type=int, default=1_000, help="without limits, and as many with them")
    add("--blocks", type=int, default=12, help="of kept answers, of each service and kind")
    add("--block", type=int, default=400, help="kept answers in a block")
    add("--share", type=float, default=0.4, help="of C, the rate of all callers but one")
    add("--greedy-rate", type=float, default=2, help="uuids/s that this one may ask")
    add("--rounds", type=int, default=3, help="of each phase with callers")
    add("--seconds", type=float, default=15, help="of each phase in a round")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """A row for each kind of kept answers, and for each phase with callers.

    Raises:
        BenchError: the service was not started for this.
    """
    if not isinstance(load.target, Punctual):
        raise BenchError("needs services of its own: python -m bench accounts")
    with tempfile.TemporaryDirectory(prefix="punctual-bench-") as folder:
        path = Path(folder, "accounts.db")
        free, ample, greedy = _begin(path, options)
        settings = {"ACCOUNTS": str(path)}
        with Punctual(options.bundle, settings, free[0]) as guarded:
            guarded.wait_until_ready(load.pictures.first)
            beside = load.at(guarded)
            kept = {
                "off": _Kept(load, options, [""]),
                "on": _Kept(beside, options, free),
                "on, with limits": _Kept(beside, options, ample),
            }
            for _ in range(options.blocks):
                for each in kept.values():
                    each.block()
            crowd = _Crowd(beside, options, free, greedy)
            phases = crowd.phases()
    rows = _compare([each.row(f"kept answers, accounts {name}") for name, each in kept.items()])
    rows += _compare([crowd.row(phase, records) for phase, records in phases.items()])
    series = {name: each.times_ms for name, each in kept.items()}
    return Measured(rows, {"ms": series})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """A curve of the times of kept answers for each kind."""
    (found,) = measured.values()
    draw_latencies(figure.subplots(), found.series["ms"])


def _begin(path: Path, options: Namespace) -> tuple[list[str], list[str], str]:
    """The file of the accounts; keys without limits, with ample ones, and of the greedy one."""
    burst = max(1, round(options.greedy_rate))
    with Accounts(path, _LOCKED_MS, begin=True) as accounts:

        def keys(kind: str, limits: Limits) -> list[str]:
            names = (f"{kind}-{number}" for number in range(options.keys))
            return [accounts.add(Account(name, limits), wall_clock_ms()) for name in names]

        greedy = Account("greedy", Limits(options.greedy_rate, burst))
        return keys("free", Limits()), keys("ample", _AMPLE), accounts.add(greedy, wall_clock_ms())


class _Kept:
    """Kept answers of one service, by these keys in turns."""

    def __init__(self, load: Load, options: Namespace, keys: list[str]) -> None:
        self._load, self._options = load, options
        self._keys = cycle(keys)
        self._call = load.call()
        self.times_ms: list[float] = []
        self._front_s = 0.0
        self._ask(1)

    def block(self) -> None:
        """One after the other, so that nobody waits for another one."""
        before_s = self._load.target.cpu_s()["front"]
        records = self._ask(self._options.block)
        self._front_s += self._load.target.cpu_s()["front"] - before_s
        self.times_ms += [record.took_ms for record in records]

    def row(self, phase: str) -> dict[str, Any]:
        """Of all blocks."""
        front_ms = 1_000 * self._front_s / len(self.times_ms)
        return _row(phase, self.times_ms, **{"front CPU ms": front_ms})

    def _ask(self, count: int) -> list[Record]:
        records: list[Record] = []

        async def ask(caller: Caller) -> None:
            for _ in range(count):
                call = replace(self._call, uuid=uuid.uuid4().hex, key=next(self._keys))
                records.append(await caller.ask(call))

        self._load.with_caller(patience(self._options), ask)
        if refused := [record.copies for record in records if record.answer is None]:
            raise BenchError(f"no answer to {len(refused)} of {count}: {refused[0]}")
        return records


class _Crowd:
    """Callers of many accounts, and one that may not as much as it asks."""

    def __init__(self, load: Load, options: Namespace, keys: list[str], greedy: str) -> None:
        self._load, self._options = load, options
        self._keys, self._greedy = cycle(keys), greedy

    def phases(self) -> dict[str, list[Record]]:
        """The records of each, of all rounds together."""
        rate = self._options.greedy_rate
        greedy = {
            "callers alone": 0.0,
            "beside one at its rate": rate,
            f"beside it at {_TIMES} times that": _TIMES * rate,
        }
        found: dict[str, list[Record]] = {phase: [] for phase in greedy}
        for _ in range(self._options.rounds):
            for phase, per_s in greedy.items():
                calls = merge(self._others(), self._asked(per_s), key=attrgetter("due_s"))
                found[phase] += self._load.run(calls, patience(self._options), phase).records
        return found

    def row(self, phase: str, records: list[Record]) -> dict[str, Any]:
        """What the others got; of the greedy one how much was refused."""
        seconds = self._options.seconds * self._options.rounds
        others = Score([each for each in records if each.call.key != self._greedy], seconds)
        greedy = Score([each for each in records if each.call.key == self._greedy], seconds)
        columns = {
            "in time %": percent(others.share),
            "of the greedy one": len(greedy.records),
            "refused": len(greedy.refused_ms),
        }
        return _row(phase, others.times_ms, **columns)

    def _others(self) -> Iterator[Call]:
        return self._calls(self._options.share * self._load.capacity.per_s, self._keys.__next__)

    def _asked(self, per_s: float) -> Iterator[Call]:
        return self._calls(per_s, lambda: self._greedy)

    def _calls(self, per_s: float, key: Callable[[], str]) -> Iterator[Call]:
        count = round(per_s * self._options.seconds)
        if count:
            for due_s in self._load.arrivals(per_s, count):
                yield replace(self._load.call(due_s), key=key())


def _row(phase: str, times_ms: list[float], **columns: float | None) -> dict[str, Any]:
    return {
        "phase": phase,
        "uuids": len(times_ms),
        **quantiles(times_ms),
        "front CPU ms": None,
        "in time %": None,
        "of the greedy one": None,
        "refused": None,
        **columns,
    }


def _compare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the ratio of each to the first of them."""
    for row in rows:
        for name in ("p50 ms", "p99 ms"):
            row[f"{name} / first"] = row[name] / rows[0][name]
    return rows
