"""A bundle: a versioned folder of a manifest, graphs and golden images, verified before use."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from model.errors import BundleInvalid
from model.manifest import File, Manifest

MANIFEST = "manifest.json"
# What macOS and Windows leave in folders that somebody looks at. Nothing here reads such a file,
# so it cannot change an answer, and it comes back as often as it is deleted.
LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
APPLE_DOUBLE = "._"  # before the name of a file: its attributes, on disks that cannot hold them


@dataclass(frozen=True)
class Bundle:
    """A folder whose every file was found, expected and unaltered, beside desktop litter."""

    folder: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """``name/version``, as callers see it."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def path(self, file: File) -> Path:
        """Where a file of the manifest lies."""
        return self.folder / file.path

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read the manifest and verify the folder against it. Runs no code from the bundle.

        Raises:
            BundleInvalid: no folder, no valid manifest, a link, a hidden, foreign, missing
                altered or unreadable file.
        """
        # A link such as `current` may be turned to the next release while this one loads.
        folder = folder.resolve()
        try:
            manifest = _read_manifest(folder)
            _verify(folder, manifest)
        except OSError as error:
            raise BundleInvalid(f"{folder} cannot be read: {error}") from error
        return cls(folder, manifest)


def is_litter(name: str) -> bool:
    """Whether a file of this name is what a desktop leaves behind, and nobody's content."""
    return name.lower() in LITTER or name.startswith(APPLE_DOUBLE)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if path.is_symlink():
        raise BundleInvalid(f"{path} is a link")
    if not path.is_file():  # a pipe would be waited for
        raise BundleInvalid(f"{path} is missing or not a regular file")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleInvalid(f"{path}: {where}: {first['msg']}") from error


def _verify(folder: Path, manifest: Manifest) -> None:
    expected = {file.path for file in manifest.files()}
    present = _regular_files(folder) - {MANIFEST}
    foreign = sorted(path for path in present - expected if not is_litter(Path(path).name))
    if foreign:
        raise BundleInvalid(f"{folder}: not in the manifest: {', '.join(foreign)}")
    if missing := sorted(expected - present):
        raise BundleInvalid(f"{folder}: missing: {', '.join(missing)}")
    for file in manifest.files():
        if _sha256(folder / file.path) != file.sha256:
            raise BundleInvalid(f"{folder}: {file.path} is not the file the manifest names")


def _regular_files(folder: Path) -> set[str]:
    found: set[str] = set()
    for root, directories, files in os.walk(folder, onerror=_raise):
        for name in directories + files:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise BundleInvalid(f"{folder}: {relative} is a link")
            if name.startswith(".") and not (name in files and is_litter(name)):
                raise BundleInvalid(f"{folder}: {relative} is a hidden file")
            if name in files:
                if not path.is_file():
                    raise BundleInvalid(f"{folder}: {relative} is not a regular file")
                found.add(relative)
    return found


def _raise(error: OSError) -> None:
    """Without it, os.walk steps over a folder that it cannot list."""
    raise error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
