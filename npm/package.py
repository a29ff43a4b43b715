"""One package, pinned by its version and by the digest of its file."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import tarfile
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass

REGISTRY = "https://registry.npmjs.org"
SETTING = "npm_config_registry"  # npm's own name for it, in small letters or in capitals
TIMEOUT_S = 20  # without a byte


class Unavailable(Exception):
    """A package cannot be had, or is not the one that is pinned; it says which and from where."""


@dataclass(frozen=True)
class Package:
    """One npm package: its name, version, and the base64 SHA-512 of its tarball."""

    name: str
    version: str
    sha512: str

    @property
    def tarball(self) -> str:
        """Where the tarball lies below the registry's address."""
        return f"{self.name}/-/{self.slug}.tgz"

    @property
    def slug(self) -> str:
        """A file name that no other package or version has."""
        return f"{self.name.rpartition('/')[2]}-{self.version}"

    def fetch(self) -> bytes:
        """The tarball, verified.

        It comes from the registry that `npm_config_registry` names, else from npm's own, through
        the proxy that the environment names. Raises Unavailable.
        """
        registry = os.environ.get(SETTING) or os.environ.get(SETTING.upper()) or REGISTRY
        url = f"{registry.rstrip('/')}/{self.tarball}"
        if not url.startswith(("https://", "http://")):
            raise Unavailable(f"{SETTING}={registry}: expected an https:// address")
        try:
            with urllib.request.build_opener().open(url, timeout=TIMEOUT_S) as reply:
                data: bytes = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"cannot fetch {self.name} {self.version} from {registry}: {error}"
            ) from error
        found = base64.b64encode(hashlib.sha512(data).digest()).decode()
        if found != self.sha512:
            raise Unavailable(
                f"{url} is not the file that is pinned: SHA-512 {found}, expected {self.sha512}"
            )
        return data

    def files(self, names: Iterable[str]) -> dict[str, bytes]:
        """Some of its files, by their paths in the package. Raises Unavailable."""
        with tarfile.open(fileobj=io.BytesIO(self.fetch())) as archive:
            return {name: _content(archive, name) for name in names}


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"package/{name}")
    return file.read() if file else b""
