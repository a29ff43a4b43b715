"""Lambda's Runtime API, as far as one execution environment needs it, and such an environment.

``awslambdaric``, the runtime that AWS itself publishes, asks here for events and brings replies.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
import time
import uuid
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from bench.errors import TargetUnavailable
from bench.processes import Processes

HANDLER: Final = "deploy.serverless.aws_lambda.handler"
_ROOT: Final = "/2018-06-01/runtime"
_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:punctual"
_POLL_S = 0.5


class Returned(NamedTuple):
    """What a function returned, and when, by ``time.perf_counter``."""

    reply: dict[str, Any]
    at_s: float


class RuntimeApi(ThreadingHTTPServer):
    """``timeout_ms``: of the function, from the moment it takes an event."""

    daemon_threads = True

    def __init__(self, timeout_ms: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.timeout_ms = timeout_ms
        self.events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.replies: dict[str, Future[Returned]] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def invoke(self, event: Any) -> Future[Returned]:
        """Put an event in line; the future is what the function returns, or raises."""
        name, reply = str(uuid.uuid4()), Future[Returned]()
        self.replies[name] = reply
        self.events.put((name, json.dumps(event).encode()))
        return reply


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"
    # Or the body would wait 40 ms for the acknowledgement of the head, which goes before it.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """``invocation/next``: waits for an event."""
        name, event = self.server.events.get()
        self.send_response(200)
        for header, value in (
            ("Lambda-Runtime-Aws-Request-Id", name),
            ("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + self.server.timeout_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", _ARN),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(event))),
        ):
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """``invocation/ID/response``, ``invocation/ID/error`` and ``init/error``."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, name, kind = self.path.removeprefix(_ROOT).split("/")
        if reply := self.server.replies.pop(name, None):
            if kind == "response":
                reply.set_result(Returned(json.loads(body), time.perf_counter()))
            else:
                reply.set_exception(RuntimeError(body.decode()))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class LambdaEnvironment:
    """One execution environment, which AWS would freeze between two invocations.

    Args:
        folder: for its log.
        variables: the whole environment of its process.
        core: all that it runs on; without it, on any.
        timeout_ms: of the function.
    """

    def __init__(
        self,
        folder: Path,
        variables: dict[str, str],
        core: int | None = None,
        timeout_ms: int = 3_000,
    ) -> None:
        self._api = RuntimeApi(timeout_ms)
        self._processes = Processes(folder / "lambda.log")
        self._core = core
        host, port = self._api.server_address[:2]
        self._variables = variables | {
            "AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "punctual",
        }

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "awslambdaric", HANDLER]
        if self._core is not None:
            command = ["taskset", "--cpu-list", str(self._core), *command]
        self._processes.start("lambda", command, self._variables)
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.stop()
        self._api.shutdown()
        self._api.server_close()

    @property
    def resident_bytes(self) -> int:
        """What it holds in memory."""
        return self._processes.resident_bytes("lambda")

    def invoke(self, event: Any) -> Future[Returned]:
        """Put an event in line, for this environment alone."""
        return self._api.invoke(event)

    def returned(self, invocation: Future[Returned], within_s: float = 60) -> Returned:
        """Wait for what the function returns.

        Raises:
            TargetUnavailable: its process has ended, or did not answer in time.
        """
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                return invocation.result(_POLL_S)
            self._processes.require_alive()
        raise TargetUnavailable(f"the function did not answer within {within_s:g} s")
