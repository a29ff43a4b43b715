"""Punctual as a target: the programs of ``make run``, without Flower, on free ports."""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Mapping
from pathlib import Path

from bench.target import StartedTarget
from deploy.ports import free_port
from deploy.run import ROOT, redis_server, service_environment

_CONF = ROOT / "deploy" / "supervisord.conf"
# The names under which their CPU time and memory are told.
_PARTS = {"redis": "redis", "workers": "workers", "web": "front"}


class Punctual(StartedTarget):
    """The service of this repository."""

    def __init__(self, bundle: Path) -> None:
        port = free_port()
        # It is never bound: Flower is not started.
        self._environment = service_environment(Path(), redis_server(), port, 0)
        super().__init__("punctual", f"http://127.0.0.1:{port}", self._environment["REDIS_URL"])
        self._environment |= {
            "BUNDLE": str(bundle.resolve()),
            "STATE": str(self.state),
            "TMPDIR": str(self.state),
        }

    def start(self) -> None:
        """As supervisord would, once."""
        for part, command, environment in programs(self._environment):
            self.processes.start(part, command, environment)

    def front_bytes(self) -> int | None:
        """See Target."""
        return self.processes.resident_bytes("front")


def programs(environment: Mapping[str, str]) -> list[tuple[str, list[str], dict[str, str]]]:
    """Part, command and environment of what deploy/supervisord.conf starts, in its order."""
    names = {f"ENV_{name}": value for name, value in environment.items()}
    conf = configparser.RawConfigParser()
    conf.read(_CONF)
    found = []
    for program, part in _PARTS.items():
        section = conf[f"program:{program}"]
        command = shlex.split(section["command"] % names)
        extra = shlex.split(section.get("environment", "").replace(",", " ") % names)
        found.append((part, command, {**environment, **dict(pair.split("=", 1) for pair in extra)}))
    return found
