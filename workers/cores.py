"""Cores: which of them a worker process may use, so that no two processes fight over one."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_MEMBERSHIP = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")

# Where a hierarchy may be mounted: version 2 alone or beside version 1, and version 1.
_UNIFIED = ("", "unified")
_CPU = ("cpu", "cpu,cpuacct")


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
    quota = container_quota()
    return cores if quota is None else max(1, min(cores, math.floor(quota)))


def container_quota(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> float | None:
    """The CPU limit in cores, or None where there is none.

    That of a group limits all groups within it, so the smallest on the way up is what counts.
    Both versions of cgroups are read.

    Args:
        membership: the groups of this process, as in ``/proc/self/cgroup``.
        mount: the folder under which the hierarchies are mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    quotas = [
        quota
        for controllers, path in (line.split(":", 2)[1:] for line in lines)
        for folder in _groups(controllers, path, mount)
        if (quota := _quota(folder)) is not None
    ]
    return min(quotas, default=None)


def _groups(controllers: str, path: str, mount: Path) -> Iterator[Path]:
    """The folders of a group and of those around it, as far as they can be seen.

    A container without a namespace of its own is told its path on the host, but sees only its own
    group, at the mount.
    """
    if controllers and "cpu" not in controllers.split(","):
        return
    for hierarchy in _CPU if controllers else _UNIFIED:
        group = PurePosixPath(path.lstrip("/"))
        for level in (group, *group.parents):
            yield mount / hierarchy / level


def _quota(folder: Path) -> float | None:
    """What the files of one group say, in cores."""
    try:
        if (unified := folder / "cpu.max").exists():
            limit, period = unified.read_text().split()
        else:
            limit = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        # Version 2 says "max", version 1 says -1.
        return int(limit) / int(period) if limit != "max" and int(limit) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
