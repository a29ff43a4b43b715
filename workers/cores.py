"""Cores: which of them a worker process may use, so that no two processes fight over one."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass

from workers.container import cpu_quota


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


# Held until this process ends, however it ends.
_claims: list[socket.socket] = []


def claim(cores: Collection[int]) -> bool:
    """Claim cores for this worker; False, and none claimed, when another one has any of them.

    Two workers pinned to the same cores would fight over them while others are idle.
    """
    claims: list[socket.socket] = []
    for core in cores:
        # A name without a file: the kernel forgets it with its owner.
        claims.append(socket.socket(socket.AF_UNIX))
        try:
            claims[-1].bind(f"\0punctual-core-{core}")
        except OSError:
            for claimed in claims:
                claimed.close()
            return False
    _claims.extend(claims)
    return True


def usable_cores() -> int:
    """How many cores' worth of work this machine or container grants; at least 1."""
    cores = len(os.sched_getaffinity(0))
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, math.floor(quota)))
