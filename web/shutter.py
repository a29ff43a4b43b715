"""The shutter: when even refusing takes too much of the machine, the kernel does it.

A refusal costs a fraction of an answer, but of a storm of twenty times as many calls as can be
answered the refusals cost more than the answers. So refusing has a share of a core's time. Whatever
is over that is made up for with the listening socket closed: whoever connects is told so by the
kernel, for next to nothing. Who is inside stays.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any

from workers.contract.clock import Clock

# Of a core's time, and so much of it at once before any is made up for.
_SHARE = 0.025
_AT_ONCE_MS = 2.5
# Whoever comes after a storm finds it open.
_LONGEST_MS = 200
# So long after it was shut more who come are taken for more of the storm.
_STRAINED_FOR_MS = 500


def can_reopen(listener: socket.socket, address: Any) -> bool:
    """Whether this kernel lets such a socket be closed for a while: not every one does.

    ``address`` is what it was bound to: where the port was the kernel's choice, it would be another
    one afterwards.
    """
    if sys.platform != "linux" or listener.family == socket.AF_UNIX or not address[1]:
        return False
    try:
        with socket.create_server(("127.0.0.1", 0)) as other:
            other.shutdown(socket.SHUT_RD)
            other.listen()
            with socket.create_connection(other.getsockname(), timeout=1):
                return True
    except OSError:
        return False


class Shutter:
    """Of one listening socket, which all front processes share: any of them may open it."""

    def __init__(
        self, listener: socket.socket, backlog: int, clock: Clock, *, may_shut: bool
    ) -> None:
        self._listener, self._backlog, self._clock = listener, backlog, clock
        self._may_shut = may_shut
        self._debt_ms, self._settled_ms = 0.0, clock()
        self.is_shut = False
        self._shut_ms = self._strained_until_ms = 0

    def charge(self, cost_s: float) -> None:
        """So much of a core's time went into refusals."""
        self._debt_ms += cost_s * 1000

    def due_ms(self) -> int:
        """For how long to shut it now, or leave it shut; 0: it may be open."""
        now_ms = self._clock()
        paid_ms = (now_ms - self._settled_ms) * _SHARE
        self._debt_ms = min(max(0.0, self._debt_ms - paid_ms), _LONGEST_MS * _SHARE)
        self._settled_ms = now_ms
        is_due = self._may_shut and (self.is_shut or self._debt_ms >= _AT_ONCE_MS)
        return round(self._debt_ms / _SHARE) if is_due else 0

    @property
    def is_strained(self) -> bool:
        """Whether it was shut a moment ago."""
        return self._clock() < self._strained_until_ms

    def shut(self) -> None:
        """Have the kernel refuse who connects, and close on who has not been taken in yet."""
        now_ms = self._clock()
        if not self.is_shut:
            try:
                self._listener.shutdown(socket.SHUT_RD)
            except OSError as error:
                # Another process was first, a moment ago.
                if error.errno != errno.ENOTCONN:
                    raise
            self.is_shut, self._shut_ms = True, now_ms
        self._strained_until_ms = now_ms + _STRAINED_FOR_MS

    def open(self) -> int:
        """Let callers connect, whichever process has shut it; for how long this one had, in ms."""
        self._listener.listen(self._backlog)
        was_shut, self.is_shut = self.is_shut, False
        return self._clock() - self._shut_ms if was_shut else 0
