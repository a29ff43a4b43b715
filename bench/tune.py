"""Find settings for a load: ``python -m bench tune --p99 800 --rate 40``.

The service is started with one combination of settings after another and gets the same load each
time. From the defaults on, one setting after the other is varied, and what is better stays: first
how many processes share the cores, then the engine, then BACKLOG_MS. What wins has to win once more
against the defaults, or a busy moment of the machine would choose.
"""

from __future__ import annotations

import importlib.util
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

from bench import capacity
from bench.caller import Patience, Record
from bench.errors import TargetUnavailable
from bench.load import Load, Measured
from bench.pictures import Pictures
from bench.plots import draw_bars
from bench.quantiles import quantile
from bench.score import Score, percent
from bench.service import Punctual
from model.bundle import Bundle
from model.engines import AUTO, ENGINES
from model.engines.speed import agreeing
from workers.contract.settings import QueueSettings
from workers.cores import usable_cores

HELP = "settings for a load and a latency, found by measuring"
KEYS = ("settings",)
COMPARED: tuple[str, ...] = ()

_ENGINE = AUTO
_BACKLOG_MS: int = QueueSettings.model_fields["backlog_ms"].default
# Of a caller's time. The rest is for what is under way when a request comes.
_BACKLOGS_MS = (300, 450, 750, 900)

# So many uuids have to be answered within the time that was asked for.
_MET = 0.99
# Less makes no difference: two runs of the same settings differ by as much.
_SHARE_DIFFERS, _FULL_DIFFERS, _P99_DIFFERS = 0.01, 0.02, 0.1


def add_arguments(parser: ArgumentParser) -> None:
    """The load, and what is wanted of it."""
    add = parser.add_argument
    add("--p99", type=int, default=800, help="99 %% of all uuids are to be answered within, in ms")
    add("--rate", type=float, default=40, help="uuids a second")
    add("--seconds", type=float, default=8, help="of load for each combination")


@dataclass(frozen=True)
class Choice:
    """A combination of settings."""

    processes: int
    engine: str = _ENGINE
    backlog_ms: int = _BACKLOG_MS

    @property
    def environment(self) -> dict[str, str]:
        """As the service reads it."""
        return {
            "WORKER_PROCESSES": str(self.processes),
            "ENGINE": self.engine,
            "BACKLOG_MS": str(self.backlog_ms),
        }

    def __str__(self) -> str:
        threads = max(1, usable_cores() // self.processes)
        return f"{self.processes} x {threads} {self.engine} {self.backlog_ms} ms"


@dataclass(frozen=True)
class Outcome:
    """What callers got: shares of all uuids, 0-1."""

    within: float
    full: float
    p99_ms: float | None

    @classmethod
    def of(cls, records: Sequence[Record], within_ms: int) -> Outcome:
        """``within``: how many were answered in so many ms from when the first copy was due."""
        times_ms = [record.took_ms for record in records if record.answer is not None]
        return cls(
            sum(took_ms <= within_ms for took_ms in times_ms) / len(records),
            sum(record.full for record in records) / len(records),
            quantile(times_ms, 0.99),
        )

    def is_better(self, other: Outcome) -> bool:
        """By what callers miss first: answers on time, then all members, then speed."""
        on_time = min(self.within, _MET) - min(other.within, _MET)
        if abs(on_time) > _SHARE_DIFFERS:
            return on_time > 0
        if abs(self.full - other.full) > _FULL_DIFFERS:
            return self.full > other.full
        if self.p99_ms is None or other.p99_ms is None:
            return other.p99_ms is None and self.p99_ms is not None
        return self.p99_ms < other.p99_ms * (1 - _P99_DIFFERS)


Try = Callable[[Choice], Outcome | None]


def steps(cores: int, engines: Sequence[str]) -> list[list[Mapping[str, Any]]]:
    """For one setting after the other, what to change it to: without the defaults."""
    halves = (cores // 2**number for number in range(1, cores.bit_length()))
    return [
        [{"processes": processes} for processes in halves],
        [{"engine": engine} for engine in engines if engine != _ENGINE],
        [{"backlog_ms": backlog_ms} for backlog_ms in _BACKLOGS_MS],
    ]


def search(cores: int, engines: Sequence[str], attempt: Try) -> Choice:
    """The best that was found; ``attempt`` gives None for what does not run here.

    Raises:
        TargetUnavailable: not even the defaults run.
    """
    default = Choice(cores)
    best, outcome = default, _required(attempt(default))
    for alternatives in steps(cores, engines):
        base = best
        for change in alternatives:
            choice = replace(base, **change)
            found = attempt(choice)
            if found is not None and found.is_better(outcome):
                best, outcome = choice, found
    if best == default:
        return default
    again, theirs = attempt(best), _required(attempt(default))
    return best if again is not None and again.is_better(theirs) else default


def measure(options: Namespace) -> dict[str, Measured]:
    """A row for each measurement, in their order; series: the choice as lines of ``.env``."""
    pictures = (
        Pictures.read(options.images)
        if options.images
        else Pictures.varied(options.bundle, options.variants, options.seed)
    )
    found = capacity.measure(options.bundle, pictures, ENGINES[0], options.capacity_seconds)
    cores, engines = usable_cores(), [name for name in ENGINES if importlib.util.find_spec(name)]
    engines += agreeing(Bundle.open(options.bundle))
    most = 3 + sum(map(len, steps(cores, engines)))
    rows: list[dict[str, Any]] = []
    with tqdm(total=most, desc="tune", unit="run") as bar:

        def attempt(choice: Choice) -> Outcome | None:
            bar.set_postfix_str(str(choice))
            try:
                with Punctual(options.bundle, choice.environment) as target:
                    target.wait_until_ready(pictures.first)
                    load = Load(target, pictures, found, options.arrivals, options.seed)
                    records = _run(load, options, str(choice))
            except TargetUnavailable as error:
                tqdm.write(f"{choice} does not run here: {error}")
                return None
            finally:
                bar.update()
            outcome = Outcome.of(records, options.p99)
            rows.append(_row(choice, outcome, Score(records, options.seconds), found.per_s))
            return outcome

        best = search(cores, engines, attempt)
    for row in rows:
        row["chosen"] = "x" if row["settings"] == str(best) else None
    lines = [f"{name}={value}" for name, value in best.environment.items()]
    return {"punctual": Measured(rows, {".env": lines, "p99 ms": options.p99})}


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Who was answered on time, and how long the slowest took."""
    (found,) = measured.values()
    left, right = figure.subplots(1, 2, sharey=True)
    # Measured twice: the latter stands.
    rows = {f"{row['settings']}{' *' if row['chosen'] else ''}": row for row in found.rows}
    draw_bars(left, {name: row["on time %"] for name, row in rows.items()}, "answered on time, %")
    draw_bars(right, {name: row["p99 ms"] for name, row in rows.items()}, "p99 of answers, ms")
    right.axvline(found.series["p99 ms"], color="gray", linestyle="--")
    right.invert_yaxis()


def _run(load: Load, options: Namespace, title: str) -> list[Record]:
    """Callers like the contest's, as many as the rate says."""
    count = max(1, round(options.rate * options.seconds))

    def calls() -> Iterator[Any]:
        for due_s in load.arrivals(options.rate, count):
            yield load.call(due_s)

    return load.run(calls(), Patience(insists=True), title, count).records


def _row(choice: Choice, outcome: Outcome, score: Score, per_s: float) -> dict[str, Any]:
    columns = score.columns()
    return {
        "settings": str(choice),
        "on time %": percent(outcome.within),
        "full %": percent(outcome.full),
        "chosen": None,
        "rate / C": len(score.records) / score.seconds / per_s,
        **{name: columns[name] for name in ("in time %", "members", "p50 ms", "p99 ms")},
        **{name: columns[name] for name in ("refused", "told late", "closed", "no reply")},
    }


def _required(outcome: Outcome | None) -> Outcome:
    if outcome is None:
        raise TargetUnavailable("the service does not run here with its defaults: see above")
    return outcome
