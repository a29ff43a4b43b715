"""A bundle: a versioned folder of a manifest, graphs and golden images, verified before use."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from model.errors import BundleInvalid, printable
from model.manifest import File, Manifest

MANIFEST = "manifest.json"
# Of a thousand labels it has 12 kB; parsed, it takes up to twenty times its size.
MAX_MANIFEST_BYTES: Final = 4_000_000
_NAMED: Final = 5  # files, in a message about any number of them
# What macOS and Windows leave in folders that somebody looks at. Nothing here reads such a file,
# so it cannot change an answer, and it comes back as often as it is deleted.
LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
APPLE_DOUBLE = "._"  # before the name of a file: its attributes, on disks that cannot hold them


@dataclass(frozen=True)
class Bundle:
    """A folder whose every file was found, expected and unaltered, beside desktop litter.

    ``digest``: sha256 of the manifest's bytes, in hex. The manifest names the digest of every other
    file, so bundles of one digest have the same content.
    """

    folder: Path
    manifest: Manifest
    digest: str

    @property
    def id(self) -> str:
        """``name/version``, as callers see it."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def path(self, file: File) -> Path:
        """Where a file of the manifest lies."""
        return self.folder / file.path

    @classmethod
    def open(cls, folder: Path, known_as: Path | None = None) -> Bundle:
        """Read the manifest and verify the folder against it. Runs no code from the bundle.

        Args:
            folder: where the bundle lies.
            known_as: what errors call it, where the folder itself would tell nobody anything.

        Raises:
            BundleInvalid: no folder, no valid manifest, a link, a hidden, foreign, missing,
                altered or unreadable file. The message is one line.
        """
        # A link such as `current` may be turned to the next release while this one loads.
        folder = folder.resolve()
        shown = printable(known_as or folder)
        try:
            content = _read_manifest(folder, shown)
            manifest = _parse(content, shown)
            _verify(folder, manifest, shown)
        except OSError as error:
            raise BundleInvalid(f"{shown} cannot be read: {error}") from error
        return cls(folder, manifest, hashlib.sha256(content).hexdigest())


def is_litter(name: str) -> bool:
    """Whether a file of this name is what a desktop leaves behind, and nobody's content."""
    return name.lower() in LITTER or name.startswith(APPLE_DOUBLE)


def _read_manifest(folder: Path, shown: str) -> bytes:
    path = folder / MANIFEST
    if path.is_symlink():
        raise BundleInvalid(f"{shown}/{MANIFEST} is a link")
    if not path.is_file():  # a pipe would be waited for
        raise BundleInvalid(f"{shown}/{MANIFEST} is missing or not a regular file")
    with path.open("rb") as stream:
        content = stream.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise BundleInvalid(
            f"{shown}/{MANIFEST} is too large: at most {MAX_MANIFEST_BYTES:,} bytes are read"
        )
    return content


def _parse(content: bytes, shown: str) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleInvalid(
            f"{shown}/{MANIFEST}: {printable(where)}: {printable(first['msg'])}"
        ) from error


def _verify(folder: Path, manifest: Manifest, shown: str) -> None:
    expected = {file.path for file in manifest.files()}
    present = _regular_files(folder, shown) - {MANIFEST}
    foreign = {path for path in present - expected if not is_litter(Path(path).name)}
    if foreign:
        raise BundleInvalid(f"{shown}: not in the manifest: {_listed(foreign)}")
    if missing := expected - present:
        raise BundleInvalid(f"{shown}: missing: {_listed(missing)}")
    for file in manifest.files():
        if _sha256(folder / file.path) != file.sha256:
            raise BundleInvalid(
                f"{shown}: {printable(file.path)} is not the file the manifest names"
            )


def _regular_files(folder: Path, shown: str) -> set[str]:
    found: set[str] = set()
    for root, directories, files in os.walk(folder, onerror=raise_it):
        for name in directories + files:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise BundleInvalid(f"{shown}: {printable(relative)} is a link")
            if name.startswith(".") and not (name in files and is_litter(name)):
                raise BundleInvalid(f"{shown}: {printable(relative)} is a hidden file")
            if name in files:
                if not path.is_file():
                    raise BundleInvalid(f"{shown}: {printable(relative)} is not a regular file")
                found.add(relative)
    return found


def _listed(paths: set[str]) -> str:
    named = [printable(path) for path in sorted(paths)[:_NAMED]]
    return ", ".join(named + ["..."] * (len(paths) > _NAMED))


def raise_it(error: OSError) -> None:
    """For os.walk, which otherwise steps over a folder that it cannot list."""
    raise error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
