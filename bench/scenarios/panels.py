"""Panels: what the dashboard shows of a storm, asked of a Prometheus that watched it.

A Prometheus of its own (``apt install prometheus``) reads the server with the service's rules. An
expression of the dashboard that finds nothing ends the run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import urllib.parse
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from matplotlib.figure import Figure

from bench.caller import Patience
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.processes import Processes
from deploy.ports import free_port
from deploy.programs import TIED
from deploy.run import BROWSER, ROOT

HELP = "the dashboard's expressions, asked of a real Prometheus, and their pictures"
KEYS = ("panel", "expression")
COMPARED: tuple[str, ...] = ()

_MONITORING = ROOT / "deploy" / "monitoring"
_DASHBOARD = _MONITORING / "grafana" / "dashboards" / "punctual.json"
_LEVELS = (0.5, 4, 0.5)
_COLUMNS = 2
_INCHES_A_ROW = 2.6
_UP_WITHIN_S = 30


def add_arguments(parser: ArgumentParser) -> None:
    """How long, and with what."""
    parser.add_argument("--seconds", type=float, default=20, help="of calm, storm and calm")
    parser.add_argument("--prometheus", default="prometheus", help="the program")


def patience(_: Namespace) -> Patience:
    """The contest's."""
    return Patience()


def measure(load: Load, options: Namespace) -> Measured:
    """Calm, a storm, calm; then a row for each expression."""
    with _prometheus(options.prometheus, load.target.url) as ask:
        began_s = time.time()
        for level in _LEVELS:
            rate = level * load.capacity.per_s
            calls = (load.call(due_s) for due_s in load.arrivals(rate, int(rate * options.seconds)))
            load.run(calls, patience(options), f"{level:g} C")
        span = {"start": began_s, "end": time.time(), "step": 1}
        rows, pictures = [], []
        for panel in json.loads(_DASHBOARD.read_text())["panels"]:
            lines: dict[str, Any] = {}
            for target in panel["targets"]:
                found = ask("query_range", query=_expanded(target["expr"]), **span)
                if not found:
                    raise BenchError(f"{panel['title']}: {target['expr']} finds nothing")
                lines |= {_legend(target["legendFormat"], one["metric"]): one for one in found}
                points = sum(len(one["values"]) for one in found)
                rows.append(
                    {"panel": panel["title"], "expression": target["expr"]}
                    | {"series": len(found), "points": points}
                )
            if panel["type"] == "timeseries":
                pictures.append(_picture(panel, lines, began_s))
        fired = ask("query", query='sum by (alertname) (ALERTS{alertstate="pending"})')
    alerts = [one["metric"]["alertname"] for one in fired]
    return Measured(rows, {"panels": pictures, "alerts that are pending": alerts})


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """The panels of the first target, as Grafana arranges them."""
    pictures = next(iter(measured.values())).series["panels"]
    height = -(-len(pictures) // _COLUMNS)
    figure.set_size_inches(10, _INCHES_A_ROW * height)
    for axes, panel in zip(figure.subplots(height, _COLUMNS).flat, pictures, strict=False):
        for name, (xs, ys) in panel["lines"].items():
            axes.plot(xs, ys, label=name)
        axes.set_title(f"{panel['title']} ({panel['unit']})", fontsize="small")
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize="x-small")
        axes.legend(fontsize="xx-small")
        axes.grid(alpha=0.3)


@contextmanager
def _prometheus(program: str, url: str) -> Iterator[Any]:
    """A Prometheus that reads the server once a second; ``ask`` calls its HTTP API."""
    if shutil.which(program) is None:
        raise BenchError(f"There is no {program} here: apt install prometheus, or --prometheus.")
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_MONITORING / "rules.yml")],
        "scrape_configs": [
            {"job_name": "punctual", "static_configs": [{"targets": [urlsplit(url).netloc]}]}
        ],
    }
    address = f"127.0.0.1:{free_port()}"

    def ask(path: str, **query: object) -> Any:
        parameters = urllib.parse.urlencode(query)
        with BROWSER.open(f"http://{address}/api/v1/{path}?{parameters}", timeout=10) as reply:
            return json.load(reply)["data"]["result"]

    with tempfile.TemporaryDirectory(prefix="punctual-") as folder:
        # JSON is YAML.
        Path(folder, "prometheus.yml").write_text(json.dumps(configuration))
        files = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
        listening = (f"--web.listen-address={address}", "--log.level=error")
        processes = Processes(Path(folder, "log"))
        try:
            processes.start("prometheus", (*TIED, program, *files, *listening), os.environ)
            _wait_until_it_reads(processes, ask)
            yield ask
        finally:
            processes.stop()


def _wait_until_it_reads(processes: Processes, ask: Any) -> None:
    until_s = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < until_s:
        processes.require_alive()
        with suppress(OSError):
            if ask("query", query="up == 1"):
                return
        time.sleep(0.2)
    raise BenchError(f"Prometheus does not read this server.\n{processes.last_words()}")


def _expanded(expression: str) -> str:
    """As Grafana would for a short range, of all algorithms."""
    return expression.replace("$__rate_interval", "5s").replace("$algorithm", ".*")


def _legend(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), template)


def _picture(panel: Any, lines: dict[str, Any], began_s: float) -> dict[str, Any]:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    points = {
        name: (
            [at_s - began_s for at_s, _ in one["values"]],
            [float(value) for _, value in one["values"]],
        )
        for name, one in lines.items()
    }
    return {"title": panel["title"], "unit": unit, "lines": points}
