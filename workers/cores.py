"""Cores: which of them a worker process may use, so that no two processes fight over one."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Share:
    """One process's part: the cores to be pinned to (empty: do not pin) and how many threads."""

    cores: frozenset[int]
    threads: int

    def pin(self) -> None:
        """Pin the calling process. Threads started later inherit it."""
        if self.cores:
            os.sched_setaffinity(0, self.cores)


def share(index: int, processes: int, cores: Collection[int], quota: float | None) -> Share:
    """The part of process ``index`` of ``processes``.

    Args:
        index: from 0.
        processes: how many share the cores.
        cores: those that may be used.
        quota: CPU seconds per second that the container is granted, if it is limited. Other
            containers see the same cores and may pick the same ones, so then only threads
            are counted and the kernel places them.
    """
    if quota is not None and quota < len(cores):
        return Share(frozenset(), max(1, math.floor(quota / processes)))
    ordered = sorted(cores)
    if processes >= len(ordered):
        return Share(frozenset({ordered[index % len(ordered)]}), 1)
    first = index * len(ordered) // processes
    last = (index + 1) * len(ordered) // processes
    return Share(frozenset(ordered[first:last]), last - first)


def container_quota() -> float | None:
    """The container's CPU limit in cores, or None where there is none (cgroup v2)."""
    try:
        limit, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) / int(period)
