"""When a call reached this machine, and whether its caller is still there, as the kernel knows it.

A front that is out of breath gets round to a call late. By its own clock every call would then seem
to have just arrived, and callers who have long given up would be served before those who wait.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

# struct tcp_info of linux/tcp.h: tcpi_state, and 52 bytes from it tcpi_last_data_recv (ms).
_LAST_DATA_RECV = struct.Struct("=B51xI")
_CLOSE_WAIT = 8


class Arrival(NamedTuple):
    """``age_ms`` since the last bytes came in; ``hung_up``: the caller has closed its side."""

    age_ms: int
    hung_up: bool


_JUST_NOW = Arrival(0, hung_up=False)


def arrival(connection: socket.socket | None) -> Arrival:
    """What the kernel notes of a TCP connection; elsewhere than on Linux every call came just now.

    The last bytes of a small request are its only ones. Of a large one that is still being sent
    they are recent, so that its clock does not start before it can be read.
    """
    if connection is None or sys.platform != "linux" or connection.family == socket.AF_UNIX:
        return _JUST_NOW
    try:
        noted = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECV.size)
    except OSError:
        return _JUST_NOW
    state, age_ms = _LAST_DATA_RECV.unpack(noted)
    return Arrival(age_ms, state == _CLOSE_WAIT)
