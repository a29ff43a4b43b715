"""``python -m deploy.serverless.sagemaker serve``: the container that SageMaker runs.

``GET /ping`` is 200 once the bundle is loaded, ``POST /invocations`` is an inference. SIGTERM lets
what is being read finish.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from deploy.serverless.function import Call, Function, Reply
from deploy.serverless.settings import ServerlessSettings
from model.errors import ModelError
from web.problem import Problem
from web.problems import BodyLate, BodyTooLarge, NotJson, OfHttp, WorkersAway
from web.wire import max_body_bytes

# SageMaker names another one where containers share a machine.
_PORT = os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")

# A container that has not answered by then has failed.
_LEFT_MS: Final = 60_000

_BLOCK_BYTES = 262_144
# Of a body that is too large, 64 MiB are read away before the caller is told.
_DRAINED_BYTES = 64 * 2**20


class Server(ThreadingHTTPServer):
    """``function`` is there once it is loaded."""

    # Those who are being answered are waited for.
    daemon_threads = False
    request_queue_size = 128
    function: Function | None = None
    stops = False

    def __init__(self, port: int, max_image_bytes: int) -> None:
        super().__init__(("0.0.0.0", port), _Handler)  # noqa: S104 - of a container
        self.max_image_bytes = max_image_bytes


class _Handler(BaseHTTPRequestHandler):
    server: Server
    # Of a request whose first line cannot be read.
    path = ""
    protocol_version = "HTTP/1.1"
    # Without one, what cannot be read would be told without a head.
    default_request_version = "HTTP/1.0"
    server_version, sys_version = "Punctual", ""
    # A connection that is silent for so many seconds is closed.
    timeout = 5

    def do_GET(self) -> None:
        if self.path != "/ping":
            self._refuse(OfHttp(HTTPStatus.NOT_FOUND))
        elif self.server.function is None:
            self._refuse(WorkersAway())
        else:
            self._send(Reply(HTTPStatus.OK, {"Content-Type": "application/json"}, b"{}"))

    def do_POST(self) -> None:
        try:
            body = self._body()
            if self.path != "/invocations":
                raise OfHttp(HTTPStatus.NOT_FOUND)
            if self.server.function is None:
                raise WorkersAway
        except Problem as problem:
            self._refuse(problem)
            return
        call = Call(
            body,
            encoding=self.headers.get("Content-Encoding"),
            prefer=self.headers.get_all("Prefer", ()),
        )
        self._send(self.server.function.reply(call, _LEFT_MS))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise OfHttp(HTTPStatus.LENGTH_REQUIRED, "Send Content-Length, and not in chunks.")
        size = int(length)
        if size > max_body_bytes(self.server.max_image_bytes):
            self.close_connection = True
            self._drain(min(size, _DRAINED_BYTES))
            raise BodyTooLarge(self.server.max_image_bytes)
        try:
            body = self.rfile.read(size)
        except TimeoutError as error:
            self.close_connection = True
            raise BodyLate from error
        if len(body) < size:
            self.close_connection = True
            raise NotJson("The body did not arrive whole. Send the request again.")
        return body

    def _drain(self, size: int) -> None:
        """A caller that is still sending would be reset, and never see the reply."""
        while size > 0 and (block := self.rfile.read(min(size, _BLOCK_BYTES))):
            size -= len(block)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Of ``BaseHTTPRequestHandler``, for what it cannot read: a problem, as everything else."""
        self.close_connection = True
        self._refuse(OfHttp(HTTPStatus(code), explain or message))

    def _refuse(self, problem: Problem) -> None:
        self._send(Reply.of(problem))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection or self.server.stops:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Of ``BaseHTTPRequestHandler``: /ping comes every few seconds, and tells nothing."""
        if self.path != "/ping":
            super().log_request(code, size)


def main() -> int:
    """Serve until SIGTERM; 1 and a line when the bundle cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m deploy.serverless.sagemaker")
    parser.add_argument("command", choices=["serve"], help="what SageMaker says")
    parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = ServerlessSettings.read()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Server(int(_PORT), settings.max_image_bytes) as server:
        threading.Thread(target=server.serve_forever, name="http").start()
        try:
            server.function = Function.load(settings)
            stop.wait()
        except ModelError as error:
            print(f"Cannot start: {error}", file=sys.stderr)
            return 1
        finally:
            server.stops = True
            server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
