"""``python -m bench``: measures a server under load, alone or side by side with others.

Run it from the repository's root; it needs the packages of the extra ``bench``. Writes
report.json, report.md and a picture into a folder.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import cast

from bench import engines, ledger, machine, scaling, serverless, tune
from bench.environments import cache_folder
from bench.errors import BenchError
from bench.peer import PEERS
from bench.report import Drawing, Report
from bench.scenarios import (
    Scenario,
    accounts,
    beside,
    burst,
    duplicates,
    evidence,
    flood,
    large,
    memory,
    panels,
    round_trip,
    soak,
    steady,
    storm,
    swap,
    table,
    uploads,
)
from bench.session import OURS, Session, engines_of
from deploy.run import ROOT
from model.errors import ModelError

_MODULES = (
    *(steady, storm, burst, duplicates, table, memory, round_trip, large, soak, swap, evidence),
    *(panels, beside, accounts, uploads, flood),
)
SCENARIOS = {module.__name__.rpartition(".")[2].replace("_", "-"): module for module in _MODULES}


def main() -> int:
    """Run one scenario; 1 and a message when a person has to act."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options, rest = _parser().parse_known_args()
    if options.command == "compare":
        scenario = SCENARIOS[options.scenario]
        own = ArgumentParser(prog=f"python -m bench compare --scenario {options.scenario}")
        scenario.add_arguments(own)
        own.parse_args(rest, options)
    elif rest:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        report = options.run(options)
    except (BenchError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{report.markdown()}\nWritten to {report.folder}")
    return 0 if report.measured else 1


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="SCENARIO")
    for name, module in SCENARIOS.items():
        command = _command(commands, name, module)
        _add_common(command)
        _add_load(command)
        _add_cache(command)
        target = command.add_mutually_exclusive_group()
        target.add_argument("--url", help="of a server that runs already")
        target.add_argument("--serve", choices=[OURS, *PEERS], default=OURS, help="start this")
        command.add_argument("--redis-url", help="behind --url, for what is counted there")
        command.add_argument(
            "--engine",
            choices=["openvino", "habit"],
            default="openvino",
            help="of a peer: ours, or TensorFlow as its users call it",
        )
        command.set_defaults(run=_one)
    for alone in (engines, scaling, serverless, ledger):
        command = _command(commands, alone.__name__.rpartition(".")[2], alone)
        _add_common(command)
        command.set_defaults(run=partial(_alone, alone))
    command = _command(commands, "tune", tune)
    _add_common(command)
    _add_load(command)
    command.set_defaults(run=_tune)
    command = commands.add_parser("compare", help="ours and the peers, one after the other")
    _add_common(command)
    _add_load(command)
    _add_cache(command)
    add = command.add_argument
    add("--scenario", choices=SCENARIOS, required=True, help="its own options may follow")
    add("--peers", default="all", help=f"all, or some of {','.join(PEERS)}")
    add("--engines", choices=["both", "openvino", "habit"], default="both", help="of the peers")
    command.set_defaults(run=_compare, url=None, redis_url=None)
    return parser


def _command(
    commands: argparse._SubParsersAction[ArgumentParser], name: str, module: ModuleType
) -> ArgumentParser:
    command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
    module.add_arguments(command)
    return command


def _add_common(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--bundle", type=Path, default=ROOT / "bundles" / "handwriting", help="what is served")
    add("--out", type=Path, help="folder of the report (default: bench-results/...)")
    add("--seed", type=int, default=0)


def _add_load(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--images", type=Path, help="folder or tar of <id>_<label>.jpg, else golden ones, varied")
    add("--variants", type=int, default=1_000, help="how many pictures to make of golden ones")
    add("--capacity-seconds", type=float, default=4, help="for which C is measured, twice")
    add("--arrivals", choices=["even", "poisson"], default="even")


def _add_cache(parser: ArgumentParser) -> None:
    at = cache_folder()
    parser.add_argument("--cache", type=Path, default=at, help="folder of the peers' environments")


def _one(options: Namespace) -> Report:
    name = "server" if options.url else options.serve
    (engine,) = engines_of(name, options.engine)
    return _session(options.command, options).run([(name, engine)])


def _compare(options: Namespace) -> Report:
    names = list(PEERS) if options.peers == "all" else options.peers.split(",")
    if unknown := set(names) - set(PEERS):
        raise BenchError(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    targets = [(OURS, "openvino")]
    targets += [(name, engine) for name in names for engine in engines_of(name, options.engines)]
    return _session(options.scenario, options).run(targets)


def _session(title: str, options: Namespace) -> Session:
    options.out = options.out or _folder(options.command)
    return Session(title, cast(Scenario, SCENARIOS[title]), options)


def _alone(module: ModuleType, options: Namespace) -> Report:
    """What needs no server, and measures by itself."""
    folder = options.out or _folder(options.command)
    facts = {"machine": machine.describe()}
    report = Report(folder, options.command, cast(Drawing, module), facts, module.measure(options))
    report.write()
    return report


def _tune(options: Namespace) -> Report:
    """With the lines for ``.env`` beside the report."""
    report = _alone(tune, options)
    (measured,) = report.measured.values()
    lines = measured.series[".env"]
    (report.folder / "tuned.env").write_text("\n".join((*lines, "")))
    wanted = f"{options.rate:g} uuids/s, 99 % of them answered within {options.p99} ms"
    report.facts["wanted"] = wanted
    report.facts["for .env (tuned.env)"] = "\n\n    ".join(("", "\n    ".join(lines)))
    report.write()
    return report


def _folder(name: str) -> Path:
    return Path("bench-results", f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")


if __name__ == "__main__":
    sys.exit(main())
