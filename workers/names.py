"""The names of files in archives: in whatever encoding, and of things that nobody means."""

from __future__ import annotations

import zipfile
from pathlib import PurePosixPath

from model import bundle


def is_litter(name: str) -> bool:
    """Whether desktops have put it there, and nobody means it."""
    path = PurePosixPath(name)
    hidden = any(
        (part.startswith(".") and part != "..") or part == "__MACOSX" for part in path.parts
    )
    return hidden or bundle.is_litter(path.name)


def name_of(entry: zipfile.ZipInfo) -> str:
    """As its writer meant it: what is not said to be UTF-8 was taken for IBM's code page 437."""
    utf8 = 0x800
    if entry.flag_bits & utf8:
        return entry.filename
    return decoded(entry.filename.encode("cp437", "replace"))


def decoded(name: bytes) -> str:
    """Of a name in an encoding that nobody tells: UTF-8, or what Windows has in Taiwan."""
    for encoding in ("utf-8", "cp950"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            pass
    return name.decode("cp437")
