"""Bundles whose graphs are none, for tests that load none, and archives of them, sound or not."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from pathlib import Path
from typing import Any

from model.packing import pack

FACTS: dict[str, Any] = {
    "name": "plain",
    "version": "1",
    "labels": ("紅", "綠", "isnull"),
    "input": {"height": 32, "width": 32},
    "engines": {"openvino": 1.0},
    "accuracy": {},
    "provenance": {},
    "licence": "MIT",
}
END = bytes(2 * tarfile.BLOCKSIZE)


def make(folder: Path, weights: bytes = b"weights", **facts: Any) -> Path:
    """Pack a bundle of two members into ``folder``."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    materials = [folder.parent / name for name in ("first.pb", "second.pb", "red.png")]
    for path in materials:
        path.write_bytes(weights + path.name.encode() * 100)
    *graphs, picture = materials
    pack(folder, graphs, {picture: "紅"}, {**FACTS, **facts})
    for path in materials:
        path.unlink()
    return folder


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, size: int | None = None
) -> bytes:
    """One member of a tar; ``size`` where its header lies."""
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.size = len(content) if size is None else size
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        entry.linkname = "manifest.json"
    header = entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    return header + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def extended(kind: bytes = tarfile.XHDTYPE, **records: bytes) -> bytes:
    """A PAX header; two underscores in a keyword are a dot."""
    content = b""
    for keyword, value in records.items():
        record = b" %s=%s\n" % (keyword.replace("__", ".").encode(), value)
        length = len(record) + len(str(len(record)))
        length = len(record) + len(str(length))
        content += b"%d%s" % (length, record)
    return member("PaxHeader", content, kind)


def members(folder: Path, below: str = "") -> bytes:
    """Every file of a folder as a member, without the end of the tar."""
    return b"".join(
        member(below + path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def bomb(start: bytes, piece: bytes, times: int) -> bytes:
    """``start`` and many times the same, packed by gzip, and cut where nobody should get to."""
    engine = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = engine.compress(start) + engine.flush(zlib.Z_FULL_FLUSH)
    return packed + (engine.compress(piece) + engine.flush(zlib.Z_FULL_FLUSH)) * times


def write(path: Path, tar: bytes, packed: bool = True) -> Path:
    """Write an archive."""
    path.write_bytes(gzip.compress(tar, 1) if packed else tar)
    return path


def snapshot(folder: Path) -> dict[str, str]:
    """Everything below a folder, with digests, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        )
        for path in folder.rglob("*")
        if path.name != ".lock"
    }
