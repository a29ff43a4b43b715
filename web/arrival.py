"""When a call reached this machine, and whether its caller is still there, as the kernel knows it.

A front that is out of breath gets round to a call late. By its own clock every call would then seem
to have just arrived, and callers who have long given up would be served before those who wait.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from typing import NamedTuple

# struct tcp_info of linux/tcp.h: tcpi_state, and 52 bytes from it tcpi_last_data_recv (ms).
_LAST_DATA_RECV = struct.Struct("=B51xI")
_CLOSE_WAIT = 8

# SO_TIMESTAMPNS of asm-generic/socket.h, whose note is a struct timespec of CLOCK_REALTIME.
_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)


class Arrival(NamedTuple):
    """``age_ms`` since the last bytes came in; ``hung_up``: the caller has closed its side."""

    age_ms: int
    hung_up: bool


_JUST_NOW = Arrival(0, hung_up=False)


def stamp_arrivals(listener: socket.socket) -> None:
    """Have the kernel note when bytes came in over the connections that ``listener`` accepts."""
    with contextlib.suppress(OSError):  # it cannot: then tcp_info alone tells
        listener.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)


def receive(connection: socket.socket, size: int, flags: int = 0) -> tuple[bytes, int | None]:
    """``recv``, and when the last of these bytes came in (CLOCK_REALTIME, ns) if that was noted."""
    data, notes, _flags, _address = connection.recvmsg(size, _ANCILLARY_BYTES, flags)
    for level, kind, note in notes:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPNS) and len(note) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(note)
            return data, seconds * 1_000_000_000 + nanoseconds
    return data, None


def arrival(connection: socket.socket, since_ns: int | None = None) -> Arrival:
    """What the kernel notes of a TCP connection; elsewhere than on Linux every call came just now.

    The last bytes of a small request are its only ones. Of a large one that is still being sent
    they are recent, so that its clock does not start before it can be read.

    ``since_ns``: when the first of them came, from `receive`. The last ones are no older, whatever
    tcp_info says: it counts in ticks, and where a host takes the core that counts them away, bytes
    that come meanwhile are as old as the pause once the ticks are made up for.
    """
    if sys.platform != "linux" or connection.family == socket.AF_UNIX:
        return _JUST_NOW
    try:
        noted = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECV.size)
    except OSError:
        return _JUST_NOW
    state, age_ms = _LAST_DATA_RECV.unpack(noted)
    if since_ns is not None:
        age_ms = min(age_ms, max(0, time.time_ns() - since_ns) // 1_000_000)
    return Arrival(age_ms, state == _CLOSE_WAIT)
