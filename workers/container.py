"""The container: how much of the machine's cores and memory this process is granted.

Both versions of control groups are read. A group's limit limits all groups within it, so what
counts is the smallest on the way up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

_MEMBERSHIP = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")

# Where a hierarchy may be mounted: version 2 alone or beside version 1, and version 1.
_UNIFIED = ("", "unified")
_CPU = ("cpu", "cpu,cpuacct")
_MEMORY = ("memory",)


def cpu_quota(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> float | None:
    """The CPU limit in cores, or None where there is none.

    Args:
        membership: the groups of this process, as in ``/proc/self/cgroup``.
        mount: the folder under which the hierarchies are mounted.
    """
    return min(_told(_CPU, _quota, membership, mount), default=None)


def free_bytes(
    membership: Path = _MEMBERSHIP, mount: Path = _MOUNT, meminfo: Path = _MEMINFO
) -> int:
    """How much more memory may be used before the machine or a group around this process is full.

    Args:
        membership: as in ``cpu_quota``.
        mount: as in ``cpu_quota``.
        meminfo: the machine's, as in ``/proc/meminfo``.
    """
    free = {
        name: int(value.split()[0]) << 10
        for name, _, value in (line.partition(":") for line in meminfo.read_text().splitlines())
    }
    return int(min([free["MemAvailable"], *_told(_MEMORY, _unused, membership, mount)]))


def _told(
    names: Sequence[str], ask: Callable[[Path], float | None], membership: Path, mount: Path
) -> list[float]:
    """What the groups around this process say of a controller, those that limit nothing left out.

    A container without a namespace of its own is told its path on the host, but sees only its own
    group, at the mount.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    asked = [ask(folder) for line in lines for folder in _folders(names, line, mount)]
    return [value for value in asked if value is not None]


def _folders(names: Sequence[str], line: str, mount: Path) -> Iterator[Path]:
    controllers, path = line.split(":", 2)[1:]
    if controllers and names[0] not in controllers.split(","):
        return
    group = PurePosixPath(path.lstrip("/"))
    for hierarchy in names if controllers else _UNIFIED:
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


def _unused(folder: Path) -> float | None:
    """What one group may still use, in bytes: kept pages of files are given up when need be."""
    try:
        if (unified := folder / "memory.max").exists():
            limit = unified.read_text().strip()
            used, kept = (folder / "memory.current").read_text(), "inactive_file"
        else:
            limit = (folder / "memory.limit_in_bytes").read_text()
            used, kept = (folder / "memory.usage_in_bytes").read_text(), "total_inactive_file"
        # Version 2 says "max", version 1 a number beyond all memory.
        if limit == "max":
            return None
        told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, int(limit) - int(used) + int(told[kept]))
    except (OSError, ValueError, KeyError):
        return None
