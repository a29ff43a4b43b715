"""Comers: connections that were just made, and what is found of a lot of them."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

from web.arrival import receive
from web.glance import LONGEST_BYTES, Call, Glance
from web.problem import Problem


class Comer:
    """A connection that was just made; ``looks`` is how often its request was looked for."""

    def __init__(self, connection: Any, address: Any) -> None:
        self.connection, self.address = connection, address
        self.looks = 0
        self.glance = Glance(connection)

    def look(self) -> bool:
        """Take what has come of its request; whether that is all that is looked at.

        Raises:
            OSError: the caller has gone.
        """
        self.looks += 1
        try:
            data, came_ns = receive(self.connection, LONGEST_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionResetError
        self.glance.take(data, came_ns)
        return not self.glance.is_coming


@dataclass
class Lot:
    """What is found of connections that are looked over together."""

    refused: dict[Problem, dict[Comer, Call]] = field(default_factory=dict)
    # How long those still wait who were let in, the shortest first.
    let_in: list[int] = field(default_factory=list)
    given_up: list[Glance] = field(default_factory=list)
