"""The door: a gunicorn worker that turns away at once whom the front could not serve in time.

What a refused call costs decides whether a storm drowns the front. So whether there is room is
asked at the first glance at a call, before its HTTP is parsed and Flask is entered.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.http import errors, get_parser
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from web.acquaintance import Acquaintance
from web.arrival import receive, stamp_arrivals
from web.envelope import Envelope
from web.glance import Glance
from web.lobby import Lobby
from web.porter import Porter
from web.problem import Problem, Reply
from web.problems import OfHttp
from web.shutter import Shutter, can_reopen
from web.turnstile import Turnstile
from workers.contract.clock import steady_clock_ms

logger = logging.getLogger(__name__)

# A request whose head takes longer is given up, and one that falls silent for so long in its body.
_HEAD_WITHIN_S = 5.0
_SILENT_S = 5.0

# What a refused call still sends is read away: closing before would take the reply from its caller.
_LINGER_S = 1.0
_BLOCK_BYTES = 65_536

_STATUSES: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class Door(GeventWorker):
    """``worker_class`` of deploy/gunicorn.conf.py."""

    @property
    def _turnstile(self) -> Turnstile:
        turnstile: Turnstile = self.wsgi.extensions["turnstile"]
        return turnstile

    @property
    def _acquaintance(self) -> Acquaintance:
        acquaintance: Acquaintance = self.wsgi.extensions["acquaintance"]
        return acquaintance

    @property
    def _lobby(self) -> Lobby:
        lobby: Lobby = self.wsgi.extensions["lobby"]
        return lobby

    def server_class(self, listener: socket.socket, *, spawn: Any, **_: Any) -> Porter:
        """What gunicorn starts for each socket that it listens at."""
        stamp_arrivals(listener)
        handle = partial(self.handle, listener)
        # At further addresses are those who must always get in: probes, and whoever watches.
        may_shut = listener is self.sockets[0] and can_reopen(listener, self.cfg.address[0])
        shutter = Shutter(listener, self.cfg.backlog, steady_clock_ms, may_shut=may_shut)
        # A process may have died while it was shut.
        shutter.open()
        return Porter(listener, handle, spawn, self._turnstile, self._acquaintance, shutter)

    def handle(
        self, listener: Any, client: socket.socket, addr: Any, received: bytes = b""
    ) -> None:
        """One connection, request after request; ``received``: its first bytes, already read."""
        client.settimeout(_SILENT_S)
        try:
            self._converse(listener.getsockname(), client, addr, received)
        except (StopIteration, errors.NoMoreData, OSError):
            pass  # whoever was there is gone, or has been told all
        except errors.ParseException as error:
            status = _STATUSES.get(type(error), HTTPStatus.BAD_REQUEST)
            self._refuse(client, OfHttp(status, f"{error}. Correct the request's head."))
        except Exception:
            logger.exception("unexpected error at the door")
            self._refuse(client, Problem())
        finally:
            self._lobby.leave()
            self._turnstile.is_in()
            client.close()

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """SIGTERM: whoever has asked nothing is not waited for."""
        super().handle_exit(sig, frame)
        self._lobby.close()

    def handle_request(self, name: Any, request: Any, client: Envelope, addr: Any) -> bool:
        """One request; whether another one may follow over its connection.

        gevent's own way says nothing, and goes on with connections that are to end.
        """
        try:
            return bool(AsyncWorker.handle_request(self, name, request, client, addr))
        finally:
            client.seal()

    def _converse(self, name: Any, client: socket.socket, addr: Any, received: bytes) -> None:
        parser = get_parser(self.cfg, client, addr)
        # By itself it takes a megabyte at once, and copies what is left of that with every read.
        parser.unreader.max_body_chunk = _BLOCK_BYTES
        parser.unreader.unread(received)
        while glance := self._glance(client, parser):
            if glance.is_whole:
                self._lobby.leave()
            refusal = self._turnstile.refusal(glance)
            if refusal is None:
                parser.unreader.unread(glance.data)
                request = next(parser) if glance.is_whole else self._next(parser)
                envelope = Envelope(client, glance)
                if request is None:
                    return
                if not getattr(request.body.reader, "length", True):
                    # Without a body it is all here.
                    self._lobby.leave()
                if not self.handle_request(name, request, envelope, addr):
                    return
                self._turnstile.is_in()
            elif glance.arrival().hung_up:
                return
            elif glance.is_last:
                self._refuse(client, *refusal)
                return
            else:
                client.sendall(Reply(refusal.problem, close=False).to(refusal.uuid))

    @staticmethod
    def _next(parser: Any) -> Any:
        """The request that has begun to come in; None when its head takes too long."""
        with gevent.Timeout(_HEAD_WITHIN_S, False):
            return next(parser)

    def _glance(self, client: socket.socket, parser: Any) -> Glance | None:
        """The first bytes of the next request, or None when there is none."""
        if parser.mesg is not None and (parser.mesg.should_close() or not parser.finish_body()):
            return None
        # Whoever reads a request's body takes its connection out of the lobby then.
        self._lobby.enter()
        data: bytes = parser.unreader.take_buffered()
        since_ns = None
        if not data:
            with gevent.Timeout(self.cfg.keepalive, False):
                data, since_ns = receive(client, _BLOCK_BYTES)
        return Glance(client, data, since_ns) if data else None

    def _refuse(self, client: socket.socket, problem: Problem, uuid: str | None = None) -> None:
        """Reply and end the connection, in the order in which the caller gets to read it."""
        try:
            client.sendall(Reply(problem, close=True).to(uuid))
            client.shutdown(socket.SHUT_WR)
            with gevent.Timeout(_LINGER_S, False):
                while client.recv(_BLOCK_BYTES):
                    pass
        except OSError:
            pass  # the caller has gone
