"""The sketcher of a worker process: draws what its algorithm has read in a page."""

from __future__ import annotations

import io
import logging

from workers.contract.sketches import Sketches

logger = logging.getLogger(__name__)

# To pack it better takes longer than to send it.
_PACKING = 1


class Sketcher:
    """Draws while the callers before it wait for nothing else."""

    def __init__(self, sketches: Sketches, pages: int) -> None:
        """``pages``: so many of a file are read, and may be drawn."""
        self._sketches = sketches
        self._pages = pages

    def draw(self, ticket: str) -> str:
        """Draw what was ordered under this ticket; what Flower shows of it."""
        ordered = self._sketches.take(ticket)
        if ordered is None:
            return "skipped"
        # Only where sheets are read is there what opens them.
        from model.documents import Document
        from model.drawing import drawn

        stream = io.BytesIO()
        try:
            picture = Document(ordered.file, self._pages).picture(ordered.number)
            drawn(picture, ordered.page).save(stream, "PNG", compress_level=_PACKING)
        except Exception:
            logger.exception("a page could not be drawn")
            stream = io.BytesIO()
        self._sketches.hand_over(ticket, stream.getvalue())
        return f"{len(stream.getvalue())} bytes"
