"""Room: processes start one at a time where memory is short, and only while there is enough.

A version is staged beside the one that serves: for a while there are twice as many processes. One
too many, and the kernel ends any of them, those that serve among them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from workers.container import free_bytes

# No process with an ensemble was seen that is larger; most have a third of it.
_PLENTY_BYTES: Final = 1 << 30

# What is left for whatever else grows.
_RESERVE: Final = 1.1


class NoRoom(Exception):
    """Memory is short. Another try may find more."""


@contextlib.contextmanager
def turn(bundle: Path, processes: int, loaded_bytes: Callable[[], int]) -> Iterator[None]:
    """Held by a process while it loads, alone where memory is not plenty.

    Args:
        bundle: the folder that it loads; those who wait for their turn meet there.
        processes: how many start.
        loaded_bytes: how large one of them is, 0 while that is not known. The first one tries.

    Raises:
        NoRoom: there is too little for another one.
    """
    if free_bytes() >= processes * _PLENTY_BYTES:
        yield
        return
    folder = os.open(bundle, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        require_room(loaded_bytes())
        yield
    finally:
        os.close(folder)


def require_room(size: int) -> None:
    """Raise ``NoRoom`` where another process of so many bytes would leave nothing free."""
    if (free := free_bytes()) < _RESERVE * size:
        raise NoRoom(f"a process takes {size >> 20} MiB, {free >> 20} MiB are free")
