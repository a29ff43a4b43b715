"""A real HTTP server whose replies a test writes."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from bench.target import Target

ANSWERED = {"server_uuid": "proof", "server_timestamp": 1, "answer": "德"}


class Script:
    """What comes back: a status, fields beside the uuid, headers."""

    def __init__(self, status: int = 200, fields: Any = None, **headers: str) -> None:
        self.status = status
        self.fields = ANSWERED if fields is None else fields
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


SILENT = Script(status=0)
BROKEN = Script(status=-1)

# By the body of a request and which copy of its uuid it is, from 1.
Behaviour = Callable[[dict[str, Any], int], Script]


class ScriptedServer:
    """Answers, refuses, stays silent until the end, or breaks the connection."""

    def __init__(self, behaviour: Behaviour, at: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.state = "ready"
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.ports: set[int] = set()
        self._copies: Counter[str] = Counter()
        self._over = threading.Event()
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.bodies.append(body)
                    outer.paths.append(self.path)
                    outer.headers.append(dict(self.headers))
                    outer.ports.add(self.client_address[1])
                    outer._copies[body["esun_uuid"]] += 1
                    copy = outer._copies[body["esun_uuid"]]
                script = behaviour(body, copy)
                if script is SILENT:
                    outer._over.wait()
                if script.status <= 0:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                fields = script.fields
                if isinstance(fields, dict):
                    fields = {"esun_uuid": body["esun_uuid"], **fields}
                data = json.dumps(fields).encode()
                self.send_response(script.status)
                for name, value in script.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                """``/readyz`` of a service that is ready, and the state of an algorithm."""
                data = json.dumps({"state": outer.state}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A caller that waits no longer closes its connection."""

        self._server = Server(at, Handler)
        self.url = f"http://{at[0]}:{self._server.server_address[1]}"

    @property
    def target(self) -> Target:
        return Target("scripted", self.url)

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
