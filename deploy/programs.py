"""The programs of the service: what ``make run`` keeps alive, a measurement and a test start.

All run in the repository's root, with one environment, out of which their commands are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# Before a command: it hears of the death of who started it by SIGTERM, and ends in order.
TIED: Final = ("setpriv", "--pdeathsig", "TERM")

# So long a front may have a caller who waits (Prefer: wait=30), and a worker a task.
LONGEST_STOP_S: Final = 40


@dataclass(frozen=True)
class Program:
    """What is started, and how it is stopped.

    ``environment`` is its own, beside the one of all. SIGTERM goes to its first process alone,
    which tells its children; after ``stop_wait_s`` SIGKILL follows, with ``has_children`` to all of
    them.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_wait_s: int = 10
    has_children: bool = True


def programs(
    environment: Mapping[str, str], others: Mapping[str, str] | None = None
) -> list[Program]:
    """The whole service, in the order in which it starts; it stops in the reverse.

    ``others``: the algorithms that are served beside that of BUNDLE, and their bundles' folders.
    """
    return [
        redis(environment),
        *([logbook()] if environment.get("EVIDENCE") else []),
        workers(environment),
        *(
            workers(environment, name=f"workers-{name}", algorithm=name, bundle=bundle)
            for name, bundle in (others or {}).items()
        ),
        web(environment),
        flower(environment),
    ]


def redis(environment: Mapping[str, str]) -> Program:
    """Redis, on REDIS_PORT of this machine, with its files in STATE."""
    return Program(
        "redis",
        (
            *("sh", "deploy/redis.sh", "--bind", "127.0.0.1"),
            *("--port", environment["REDIS_PORT"], "--dir", environment["STATE"]),
            *("--loglevel", "warning"),
        ),
        has_children=False,
    )


def logbook() -> Program:
    """Keeps evidence in EVIDENCE; the front ends before it, so that it has the last of it."""
    return Program("logbook", ("python", "-m", "workers.logbook"), has_children=False)


def workers(
    environment: Mapping[str, str],
    *,
    name: str = "workers",
    algorithm: str = "",
    bundle: str = "",
    app: str = "workers",
    log_level: str = "WARNING",
) -> Program:
    """A worker of WORKER_PROCESSES processes; ``name`` is its own among all on this machine.

    Without ``algorithm`` and ``bundle`` it serves what the environment of all says. With BUNDLES
    there may be other versions of it to serve: a keeper starts a worker for each.
    """
    own = {"ALGORITHM": algorithm, "BUNDLE": bundle} if algorithm else {}
    command: tuple[str, ...] = (
        *("celery", "-A", app, "worker", "-n", f"{name}@%h", f"--loglevel={log_level}"),
        f"--concurrency={environment['WORKER_PROCESSES']}",
        *("--without-gossip", "--without-mingle"),
    )
    if environment.get("BUNDLES"):
        command = ("python", "-m", "workers.keeper", *TIED, *command)
    return Program(name, command, own, stop_wait_s=LONGEST_STOP_S)


def web(environment: Mapping[str, str]) -> Program:
    """The front, which counts in STATE."""
    return Program(
        "web",
        ("gunicorn", "-c", "deploy/gunicorn.conf.py"),
        {"PROMETHEUS_MULTIPROC_DIR": f"{environment['STATE']}/metrics"},
        stop_wait_s=LONGEST_STOP_S,
    )


def flower(environment: Mapping[str, str]) -> Program:
    """Flower, on FLOWER_PORT of this machine, behind those who answer: it reads of each task."""
    return Program(
        "flower",
        (
            *("nice", "-n", "15", "celery", "-A", "workers", "flower", "--address=127.0.0.1"),
            *(f"--port={environment['FLOWER_PORT']}", "--logging=warning"),
            *("--purge_offline_workers=60", "--max_tasks=10000"),
        ),
    )
