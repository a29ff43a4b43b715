"""Punctual as a target: the programs of ``make run``, without Flower, on free ports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.target import StartedTarget
from deploy.ports import free_port
from deploy.programs import TIED, programs
from deploy.run import redis_server, service_environment

# The names under which their CPU time and memory are told.
_PARTS = {"redis": "redis", "logbook": "logbook", "workers": "workers", "web": "front"}


class Punctual(StartedTarget):
    """The service of this repository; ``settings`` in the place of what the environment says.

    ``key``: of an account, where the settings name some.
    """

    def __init__(
        self, bundle: Path, settings: Mapping[str, str] | None = None, key: str = ""
    ) -> None:
        port = free_port()
        # It is never bound: Flower is not started.
        self._environment = service_environment(Path(), redis_server(), port, 0)
        redis_url = self._environment["REDIS_URL"]
        super().__init__("punctual", f"http://127.0.0.1:{port}", redis_url, key)
        # As the capacity is measured, and the peers compute.
        self._environment.setdefault("ENGINE", "openvino")
        self._environment |= {
            "BUNDLE": str(bundle.resolve()),
            "STATE": str(self.state),
            "TMPDIR": str(self.state),
            "BUNDLES": str(self.state / "bundles"),
            **(settings or {}),
            "JOBS": str(self.state / "jobs"),
        }

    def start(self) -> None:
        """As supervisord would, once."""
        for program in programs(self._environment):
            if part := _PARTS.get(program.name):
                environment = {**self._environment, **program.environment}
                self.processes.start(part, (*TIED, *program.command), environment)

    @property
    def environment(self) -> dict[str, str]:
        """See Target."""
        return self._environment

    def front_bytes(self) -> int | None:
        """See Target."""
        return self.processes.resident_bytes("front")
