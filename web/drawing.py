"""Drawing: the picture of a page with what was read in it, for who asks for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request
from redis import RedisError

from web.outage import Outages
from web.problems import (
    AnswerLate,
    EngineFailed,
    FieldInvalid,
    ImageUnreadable,
    LineFull,
    WorkersAway,
)
from web.status import LatestStatus
from workers.contract.sketches import Crowded, Ordered, Sketches

PNG: Final = "image/png"
_AGAIN_S: Final = 2


class Drawing:
    """Has workers draw: the front opens no picture."""

    def __init__(self, sketches: Sketches, latest: LatestStatus, outages: Outages) -> None:
        self._sketches = sketches
        self._latest = latest
        self._outages = outages

    def response(
        self, algorithm: str, file: bytes, pages: list[Mapping[str, Any]], until_ms: int
    ) -> Response:
        """The page that the query names, the first one without.

        Raises:
            Problem: any of those this module imports; ``AnswerLate`` at ``until_ms``.
        """
        page = self._page(pages)
        status = self._latest.status(algorithm)
        if not status.workers:
            raise WorkersAway
        try:
            png = self._sketches.drawn(status.line, Ordered(file, page, pages[page]), until_ms)
        except Crowded as error:
            raise LineFull(_AGAIN_S) from error
        except RedisError as error:
            raise self._outages.note(error) from error
        if png is None:
            raise AnswerLate
        if not png:
            raise EngineFailed("The page could not be drawn. Ask for its JSON instead.")
        return Response(png, content_type=PNG)

    def _page(self, pages: list[Mapping[str, Any]]) -> int:
        asked = request.args.get("page", "1")
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= len(pages)):
            raise FieldInvalid(f"page: not a number from 1 to {len(pages)}.")
        if problem := pages[int(asked) - 1].get("problem"):
            raise ImageUnreadable(problem)
        return int(asked) - 1
