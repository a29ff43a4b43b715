"""Pages: each one of a document is an item of its job, whatever is to read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from model.containers import HEAD_BYTES, TIFFS, is_pdf

if TYPE_CHECKING:
    from model.leaves import Leaves

# Of one document: a day's post, and not what makes workers count for hours.
MAX_PAGES: Final = 2_000


def pages(source: bytes | Path) -> Leaves | None:
    """Those of a document; None of what is one picture, or nothing that is known.

    Raises:
        ImageUnreadable: it cannot be opened, or has too many.
        OSError: it cannot be read.
    """
    head = source[:HEAD_BYTES] if isinstance(source, bytes) else _head(source)
    if not is_pdf(head) and not head.startswith(TIFFS):
        return None
    # It opens PDFs, and Flower, which imports the tasks, has nothing for that.
    from model.leaves import Leaves

    leaves = Leaves(source, MAX_PAGES)
    return leaves if leaves.count > 1 else None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)
