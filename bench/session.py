"""A session: the targets of one command line, one after the other, on the same cores."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from bench import capacity, machine
from bench.capacity import Capacity
from bench.errors import BenchError
from bench.load import Load
from bench.peer import PEERS, PeerServer
from bench.pictures import Pictures
from bench.report import Report
from bench.scenarios import Scenario
from bench.service import Punctual
from bench.target import Target

OURS = "punctual"


class Session:
    """What all targets of a run share."""

    def __init__(self, title: str, scenario: Scenario, options: Namespace) -> None:
        self._scenario, self._options = scenario, options
        self._bundle: Path = options.bundle
        self._pictures = (
            Pictures.read(options.images)
            if options.images
            else Pictures.varied(self._bundle, options.variants, options.seed)
        )
        self._capacities: dict[str, Capacity] = {}
        self._report = Report(options.out, title, scenario, {})

    def run(self, targets: list[tuple[str, str]]) -> Report:
        """Measure targets by name and engine; what cannot be measured is reported as such."""
        self._report.facts = self._facts()
        # While nothing is served yet.
        ours = self._capacity("openvino")
        for name, engine in targets:
            called = name if name not in PEERS else f"{name}, {engine}"
            try:
                with self._target(name, engine) as target:
                    target.wait_until_ready(self._pictures.first)
                    load = Load(
                        target,
                        self._pictures,
                        ours,
                        self._options.arrivals,
                        self._options.seed,
                    )
                    self._report.measured[called] = self._scenario.measure(load, self._options)
            except BenchError as error:
                print(f"{called}: {error}", file=sys.stderr)
                self._report.missing[called] = str(error)
            self._report.write()
        return self._report

    def _target(self, name: str, engine: str) -> Target:
        options = self._options
        if name not in PEERS:
            if options.url:
                return Target(name, options.url, options.redis_url)
            return Punctual(self._bundle)
        return PeerServer(
            name,
            self._bundle,
            engine,
            self._capacity(engine).settled_ms,
            self._scenario.patience(options).limit_ms,
            options.cache,
        )

    def _capacity(self, engine: str) -> Capacity:
        """Measured once for each engine, while nothing is served."""
        if engine not in self._capacities:
            found = capacity.measure(
                self._bundle, self._pictures, engine, self._options.capacity_seconds
            )
            self._capacities[engine] = found
            self._report.facts[f"capacity, {engine}"] = found.describe()
        return self._capacities[engine]

    def _facts(self) -> dict[str, Any]:
        shown = {
            name: value
            for name, value in vars(self._options).items()
            if value is not None and not callable(value)
        }
        return {"machine": machine.describe(), "options": shown, "images": self._pictures.source}


def engines_of(name: str, engines: str) -> list[str]:
    """The engines of a target, for the choice ``both``, ``habit`` or ``openvino``."""
    if name not in PEERS:
        return ["openvino"]
    of = {"habit": [PEERS[name].habit], "openvino": ["openvino"]}
    return of.get(engines) or of["openvino"] + of["habit"]
