"""The porter: takes connections in and, while there is no room, refuses them by the lot.

A greenlet, a socket of gevent's and a question to Redis for each refused call would cost more than
many an answer. Here a lot of them shares all three. When that is not enough, it closes the shutter.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import logging
import socket
import time
from collections import deque
from collections.abc import Container
from typing import Any

import gevent
from gevent import socket as gevent_socket
from gevent.monkey import get_original
from gevent.server import StreamServer

from web.acquaintance import Acquaintance
from web.comers import Comer, Lot
from web.glance import Call
from web.problem import Problem, Reply
from web.problems import FrontBusy
from web.shutter import Shutter
from web.turnstile import Turnstile

logger = logging.getLogger(__name__)

_PlainSocket: Any = get_original("socket", "socket")

# So long a lot gathers, and its calls may take to arrive wholly; so many are seen to at a time.
_GATHER_S = 0.005
_LOOKS = 20
_AT_ONCE = 128
# While refusing takes too much, no more than these are taken in before the shutter closes.
_FLOOD = 48
# What was shut until a lot is seen to, or by another process, is opened after so long by itself.
_LEFT_SHUT_S = 0.2

_FULL = Reply(FrontBusy(), close=True).to(None)


class Porter(StreamServer):
    """A gevent server for the connections of one front process."""

    def __init__(
        self,
        listener: socket.socket,
        handle: Any,
        spawn: Any,
        turnstile: Turnstile,
        acquaintance: Acquaintance,
        shutter: Shutter,
    ) -> None:
        super().__init__(listener, handle, spawn=spawn)
        self._shutter = shutter
        self._turnstile = turnstile
        self._acquaintance = acquaintance
        self._comers: deque[Comer] = deque()
        self._sorts = False

    def _do_read(self) -> None:
        """The loop says that somebody has come: one is let in, or many are lined up."""
        if not (self._turnstile.is_shut or self._shutter.is_strained):
            super()._do_read()
            return
        self._line_up()
        if self._comers and not self._sorts:
            self._sorts = True
            gevent.spawn(self._sort)
        if len(self._comers) >= _FLOOD and self._shutter.is_strained:
            self._shut(_LEFT_SHUT_S)

    def do_read(self) -> Any:
        """One who has come, with its address."""
        try:
            return super().do_read()
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._leave_shut()
            return None

    def close(self) -> None:
        """Stop taking connections in; those who come after this process find it open."""
        if self._shutter.is_shut:
            self._shutter.open()
        super().close()

    def _line_up(self) -> None:
        family, kind = self.socket.family, self.socket.type
        try:
            for _ in range(_AT_ONCE):
                fd, address = self.socket._accept()
                self._comers.append(Comer(_PlainSocket(family, kind, 0, fileno=fd), address))
        except OSError as error:
            # Nobody more; or no more files, which whoever is let in next finds out.
            if error.errno == errno.EINVAL:
                self._leave_shut()

    def _leave_shut(self) -> None:
        """Another process has shut it, and opens it again unless it dies."""
        self.stop_accepting()
        self._reopen_in(_LEFT_SHUT_S)

    def _settle(self) -> None:
        """Be shut for as long as what was refused cost too much, or open."""
        if due_ms := self._shutter.due_ms():
            self._shut(due_ms / 1000)
        elif self._shutter.is_shut:
            self._reopen()

    def _shut(self, seconds: float) -> None:
        if self._shutter.is_shut or self._watcher is not None:
            self.stop_accepting()
            self._shutter.shut()
            self._reopen_in(seconds)
        # Else the front is full, and takes nobody in already.

    def _reopen_in(self, seconds: float) -> None:
        self._timer = self.loop.timer(seconds)
        self._timer.start(self._reopen)

    def _reopen(self) -> None:
        self._turnstile.tell_shut(self._shutter.open())
        self._start_accepting_if_started()

    def _sort(self) -> None:
        while self._comers:
            gevent.sleep(_GATHER_S)
            count = min(_AT_ONCE, len(self._comers))
            try:
                self._sort_lot([self._comers.popleft() for _ in range(count)])
                self._settle()
            except Exception:
                # The next lot is seen to nevertheless.
                logger.exception("unexpected error of the porter")
        self._sorts = False

    def _sort_lot(self, comers: list[Comer]) -> None:
        began_s = time.thread_time()
        lot = self._look_over(comers)
        each_s = (time.thread_time() - began_s) / len(comers)
        gone = len(lot.given_up)
        for problem, of_one in lot.refused.items():
            known = self._acquaintance.known(list(of_one.values()))
            began_s = time.thread_time()
            gone += self._refuse_unknown(problem, of_one, known)
            self._shutter.charge(time.thread_time() - began_s)
        self._shutter.charge(gone * each_s)

    def _look_over(self, comers: list[Comer]) -> Lot:
        """Let in who may come in; whom to refuse unless it is known, and who has given up."""
        lot = Lot()
        for comer in comers:
            try:
                self._look_at(comer, lot)
            except OSError:
                comer.connection.close()
            except Exception:
                # Whatever one of them has sent, it is not the others' fault.
                logger.exception("unexpected error of the porter")
                comer.connection.close()
        if lot.given_up:
            self._turnstile.account(FrontBusy(), lot.given_up)
        return lot

    def _look_at(self, comer: Comer, lot: Lot) -> None:
        is_here = comer.look()
        glance = comer.glance
        if not is_here and comer.looks <= _LOOKS:
            self._comers.append(comer)
            return
        left_ms = self._turnstile.left_ms(glance)
        if glance.asks_inference and left_ms <= 0:
            self._send_away(comer)
            lot.given_up.append(glance)
            return
        ahead = bisect.bisect_right(lot.let_in, left_ms)
        problem, call = self._turnstile.shut_to(glance, left_ms, ahead), glance.call
        if problem is None or call is None or not glance.is_whole:
            self._let_in(comer)
            bisect.insort(lot.let_in, left_ms)
        else:
            lot.refused.setdefault(problem, {})[comer] = call

    def _refuse_unknown(
        self, problem: Problem, comers: dict[Comer, Call], known: Container[Call]
    ) -> int:
        """How many were refused; the others are let in."""
        reply = Reply(problem, close=True)
        strangers = []
        for comer, call in comers.items():
            if call in known:
                self._let_in(comer)
            else:
                self._refuse(comer, reply.to(call.uuid))
                strangers.append(comer.glance)
        if strangers:
            self._turnstile.account(problem, strangers)
        return len(strangers)

    def _let_in(self, comer: Comer) -> None:
        """The door goes on with it, from the first byte."""
        if self.full():
            self._refuse(comer, _FULL)
            return
        family, kind = self.socket.family, self.socket.type
        connection = gevent_socket.socket(family, kind, 0, fileno=comer.connection.detach())
        self.do_handle(connection, comer.address, comer.glance.data)

    def _send_away(self, comer: Comer) -> None:
        """Its time is over; most of them have given up."""
        if comer.glance.arrival().hung_up:
            comer.connection.close()
        else:
            self._refuse(comer, _FULL)

    @staticmethod
    def _refuse(comer: Comer, reply: bytes) -> None:
        """Its request was read to the end, so that closing does not take the reply away."""
        with contextlib.suppress(OSError):  # the caller has gone
            comer.connection.send(reply, socket.MSG_DONTWAIT)
        comer.connection.close()
