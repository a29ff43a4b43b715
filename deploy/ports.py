"""Ports of this machine: chosen ones that somebody else may hold, and any free one."""

from __future__ import annotations

import contextlib
import os
import socket

import psutil

HIGHEST_PORT = 65_536


def chosen_port(name: str, default: str) -> int:
    """The port that an environment variable names; ValueError when it cannot be used."""
    text = os.environ.get(name, default)
    if not text.isdigit() or not 0 < int(text) < HIGHEST_PORT:
        raise ValueError(f"{name}={text} is no port. Choose a number below {HIGHEST_PORT}.")
    if not is_free(int(text)):
        raise ValueError(
            f"Port {text} is taken{holder(int(text))}. Choose another one: make run {name}=..."
        )
    return int(text)


def holder(port: int) -> str:
    """Who listens on the port, as far as this user may know."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        if listens and connection.pid:
            with contextlib.suppress(psutil.Error):
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f" by process {connection.pid} ({command})"
    return ""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
