"""What a client brings: a file as it is, or a folder as a zip, the same for the same content."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pdf")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Source:
    """One file, with the SHA-256 of its bytes in hex."""

    path: Path
    size: int
    sha256: str


def source(path: Path, scratch: Path) -> Source:
    """The file, or the images of a folder in one file within ``scratch``.

    Raises:
        OSError: it cannot be read.
        ValueError: there is no image in the folder.
    """
    if path.is_dir():
        path = _zipped(path, scratch / "images.zip")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return Source(path, path.stat().st_size, digest.hexdigest())


def _zipped(folder: Path, target: Path) -> Path:
    images = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not images:
        raise ValueError(f"{folder}: no images ({', '.join(SUFFIXES)})")
    with zipfile.ZipFile(target, "w") as archive:
        for path in images:
            # Without a time of its own, so that the same folder is the same job.
            name = path.relative_to(folder).as_posix()
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return target
