"""A Redis of a measurement's own, as the service starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import Processes
from deploy import programs
from deploy.run import redis_server, service_environment
from workers.contract.connection import patient
from workers.contract.settings import QueueSettings


@contextmanager
def own_redis(**environment: str) -> Iterator[str]:
    """Its URL, once it answers; ``environment`` beside that of the service."""
    with TemporaryDirectory(prefix="punctual-") as folder:
        every = service_environment(Path(folder), redis_server(), 0, 0) | environment
        processes = Processes(Path(folder, "log"))
        try:
            processes.start("redis", programs.redis(every).command, every)
            patient(QueueSettings(redis_url=every["REDIS_URL"])).ping()
            yield every["REDIS_URL"]
        finally:
            processes.stop()
