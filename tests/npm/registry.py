"""A registry on this machine: a folder that is served."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from npm.package import Package


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which it is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def publish(folder: Path, name: str, data: bytes, version: str = "1.0.0") -> Package:
    """Have the registry serve a package's tarball, and pin it."""
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    package = Package(name, version, digest)
    path = folder / package.tarball
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return package


def tarball(files: dict[str, bytes]) -> bytes:
    """A package of these files, as npm packs it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return written.getvalue()
