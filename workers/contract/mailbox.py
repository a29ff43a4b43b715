"""The mailbox: how evidence gets from the fronts to the logbook without anybody waiting.

A batch is a file in memory, and its descriptor is what the datagram carries: the kernel holds ten
datagrams for a reader, whatever their size, and refuses what is too large for a socket's buffer.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Self

from workers.contract.evidence import Batch

_NAME = "logbook.sock"
_AT_ONCE = 32


class Slot:
    """A front's end of it. The logbook may come and go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket: socket.socket | None = None

    def post(self, batch: Batch) -> bool:
        """Hand over a batch; False when nobody takes it now. Never waits."""
        try:
            if self._socket is None:
                self._socket = self._connected()
            descriptor = os.memfd_create("evidence")
            try:
                with open(descriptor, "wb", closefd=False) as file:
                    file.write(batch.to_bytes())
                socket.send_fds(self._socket, [b"\n"], [descriptor])
            finally:
                os.close(descriptor)
        except BlockingIOError:
            return False
        except OSError:
            # There is no logbook, or not the one any more that this was connected to.
            self.close()
            return False
        return True

    def close(self) -> None:
        """The next batch connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            connection.setblocking(False)
            connection.connect(_address(folder))
        except OSError:
            connection.close()
            raise
        finally:
            os.close(folder)
        return connection


class Mailbox:
    """The logbook's end."""

    def __init__(self, folder: Path) -> None:
        """Takes the place of the mailbox of a logbook that is no more.

        Raises:
            OSError: the folder cannot be written.
        """
        self._path = folder / _NAME
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self._socket.bind(_address(descriptor))
        finally:
            os.close(descriptor)
        self._path.chmod(0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    @property
    def is_there(self) -> bool:
        """Whether fronts still find it."""
        return self._path.exists()

    def take(self, timeout_s: float) -> list[bytes]:
        """What has come, as bytes of batches; an empty list after ``timeout_s`` without any."""
        taken: list[bytes] = []
        self._socket.settimeout(timeout_s)
        try:
            while len(taken) < _AT_ONCE:
                _, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1)
                taken += map(_content, descriptors)
                self._socket.settimeout(0)
        except (TimeoutError, BlockingIOError):
            pass
        return taken


def _address(folder: int) -> str:
    """By the folder's descriptor: an address may have 107 bytes, and a path more."""
    return f"/proc/self/fd/{folder}/{_NAME}"


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        file.seek(0)
        return file.read()
