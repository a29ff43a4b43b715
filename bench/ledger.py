"""How many requests a second one Redis carries, with an engine that costs nothing.

Clients on the other cores do what fronts, Celery and workers do to Redis for a request, one step
after the other, with the service's own ledger. Redis has the machine's first core, and the settings
of the service. Where the other cores cannot keep it busy, what a core of it carries is told by the
CPU time that each request took.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from argparse import ArgumentParser, Namespace
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from redis import Redis
from tqdm import tqdm

from bench import ledger_client
from bench.load import Measured
from bench.own_redis import own_redis
from bench.plots import draw_bars

HELP = "what one Redis carries; needs no server"
KEYS = ("what",)
COMPARED: tuple[str, ...] = ()


class _Used(NamedTuple):
    """What Redis has used so far: CPU, its network in both directions, memory."""

    cpu_s: float
    net_bytes: int
    memory_bytes: int

    @classmethod
    def by(cls, redis: Redis) -> _Used:
        told: Any = redis.info()
        return cls(
            told["used_cpu_user"] + told["used_cpu_sys"],
            told["total_net_input_bytes"] + told["total_net_output_bytes"],
            told["used_memory"],
        )


def add_arguments(parser: ArgumentParser) -> None:
    """How long, how large, how many."""
    add = parser.add_argument
    add("--seconds", type=float, default=10, help="of each row")
    add("--clients", type=int, default=4 * max(1, _cores() - 1), help="at the same moment")
    add("--sizes", type=int, nargs="+", default=[1_000, 30_000, 300_000], help="of images, bytes")
    add("--processes", type=int, nargs="+", default=[10, 1_000], help="of workers that beat")


def measure(options: Namespace) -> dict[str, Measured]:
    """A row for each thing that is said to Redis."""
    todo = [
        *((f"new, {size / 1000:g} kB", "new", size) for size in options.sizes),
        ("kept", "kept", options.sizes[0]),
        *((f"a beat, of {count}", "beat", count) for count in options.processes),
        *((f"a front's look at {count}", "look", count) for count in options.processes),
    ]
    rows = []
    for title, what, amount in tqdm(todo):
        # Each in a Redis of its own: nothing of the one before is left.
        with own_redis(REDIS_MAXMEMORY="0") as url:
            rows.append({"what": title, **_row(url, what, amount, options)})
    return {"redis": Measured(rows)}


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """What a core of Redis carries of each."""
    (found,) = measured.values()
    column = "a core carries/s"
    draw_bars(figure.subplots(), {row["what"]: row[column] for row in found.rows}, column)


def _row(url: str, what: str, amount: int, options: Namespace) -> dict[str, Any]:
    redis = Redis.from_url(url)
    first, *others = sorted(os.sched_getaffinity(0))
    told: Any = redis.info("server")
    os.sched_setaffinity(told["process_id"], {first})
    with ProcessPoolExecutor(
        options.clients,
        multiprocessing.get_context("spawn"),
        partial(os.sched_setaffinity, 0, others or [first]),
    ) as clients:
        do = partial(clients.map, partial(ledger_client.work, url, what, amount))
        # Until all have started, and have what they ask for.
        sum(do([1.0] * options.clients))
        before, began_s = _Used.by(redis), time.monotonic()
        count = sum(do([options.seconds] * options.clients))
        took_s, after = time.monotonic() - began_s, _Used.by(redis)
    cpu_s = after.cpu_s - before.cpu_s
    return {
        "done/s": count / took_s,
        "Redis busy %": 100 * cpu_s / took_s,
        "Redis us each": 1e6 * cpu_s / count,
        "a core carries/s": count / cpu_s,
        "kB sent each": (after.net_bytes - before.net_bytes) / count / 1000,
        "bytes kept each": (after.memory_bytes - before.memory_bytes) / count,
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0))
