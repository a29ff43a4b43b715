"""A port that leads to a Redis: the address that a failover moves, and TLS before a plain Redis."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading


class Forwarder:
    """Each new connection goes to ``target``, a port; what is connected stays where it is.

    With a ``context`` callers must speak TLS.
    """

    def __init__(self, target: int, context: ssl.SSLContext | None = None) -> None:
        self.target = target
        self._context = context
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        for end in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._server.accept()
                threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        try:
            if self._context:
                caller = self._context.wrap_socket(caller, server_side=True)
            redis = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            caller.close()
            return
        self._sockets += [caller, redis]
        threading.Thread(target=_pump, args=(caller, redis), daemon=True).start()
        _pump(redis, caller)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
