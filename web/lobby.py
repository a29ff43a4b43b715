"""The lobby: connections whose request has not wholly arrived, of which there may be only so many.

Whoever sends nothing, or sends for ever, waits here. When it is crowded, the one that has been here
the longest goes: an honest caller stays for milliseconds, so it is not among those.
"""

from __future__ import annotations

from gevent import Greenlet, getcurrent


class Lobby:
    """Greenlets of connections, in the order in which they came."""

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._here: dict[Greenlet, None] = {}

    def enter(self) -> None:
        """The current connection waits for its next request; the oldest makes way if need be.

        It is the latest to come, whatever it has asked before.
        """
        self.leave()
        self._here[getcurrent()] = None
        if len(self._here) > self._seats:
            self._send_away(next(iter(self._here)))

    def leave(self) -> None:
        """The current connection's request is here, or the connection ends."""
        self._here.pop(getcurrent(), None)

    def close(self) -> None:
        """Send everybody away: the front stops."""
        for greenlet in tuple(self._here):
            self._send_away(greenlet)

    def _send_away(self, greenlet: Greenlet) -> None:
        self._here.pop(greenlet, None)
        greenlet.kill(block=False)
