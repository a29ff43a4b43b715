"""The body of a request: read while there is time and memory, and kept no longer than needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any

import gevent
from gunicorn.http.errors import ParseException

from web.problem import Problem
from web.problems import BodyLate, BodyTooLarge, EncodingUnknown, FrontBusy, NotJson
from web.wire import max_body_bytes

# Whoever sends more slowly is given up; meanwhile nothing but what was sent is held for them.
_WITHIN_S = 10.0
# Bodies that are being read, all together.
_AT_ONCE_BYTES = 96_000_000
_TURN_EVERY_S = 0.01

_BLOCK_BYTES = 262_144
# Of a body that is too large, 64 MiB are read away before the caller is told.
_DRAINED_BLOCKS = 256
_DRAINED_BYTES = _DRAINED_BLOCKS * _BLOCK_BYTES

_CUT_OFF = "The body did not arrive whole. Send the request again."


class Bodies:
    """All bodies of a kind that one front process reads at a time.

    ``too_large`` is told of the limit that an image, or whatever it carries, is over.
    """

    def __init__(
        self, max_image_bytes: int, too_large: Callable[[int], Problem] = BodyTooLarge
    ) -> None:
        self._max_image_bytes = max_image_bytes
        self._too_large = too_large
        self._limit = max_body_bytes(max_image_bytes)
        self._held = 0

    def read(self, environ: Mapping[str, Any], patience_s: float) -> bytes:
        """The whole body of a request, by its WSGI environment.

        Raises:
            EncodingUnknown: 415, it is compressed.
            BodyTooLarge: 413.
            BodyLate: 408, it stopped arriving, or took ten seconds.
            FrontBusy: 503, no memory for more of it within ``patience_s`` seconds.
            NotJson: 400, the caller went away in the middle of it.
        """
        encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
        if encoding != "identity":
            raise EncodingUnknown(encoding)
        length = int(environ.get("CONTENT_LENGTH") or 0)  # gunicorn has refused what is no number
        if length > self._limit + (0 if "HTTP_EXPECT" in environ else _DRAINED_BYTES):
            # Whoever asks first has not begun to send, and this much is read away for nobody.
            raise self._too_large(self._max_image_bytes)
        stream = environ["wsgi.input"]
        try:
            with gevent.Timeout(_WITHIN_S, BodyLate()):
                body = self._read(stream, patience_s)
                if body is None:
                    _drain(stream)
        except TimeoutError as error:
            raise BodyLate from error
        except (OSError, ParseException) as error:
            raise NotJson(_CUT_OFF) from error
        if body is None:
            raise self._too_large(self._max_image_bytes)
        if len(body) < length:
            raise NotJson(_CUT_OFF)
        return body

    def _read(self, stream: IO[bytes], patience_s: float) -> bytes | None:
        """The body, or None as soon as it is over the limit."""
        blocks: list[bytes] = []
        size = 0
        try:
            while block := stream.read(_BLOCK_BYTES):
                self._wait_for_room(len(block), patience_s)
                self._held += len(block)
                size += len(block)
                blocks.append(block)
                if size > self._limit:
                    return None
            return b"".join(blocks)
        finally:
            self._held -= size

    def _wait_for_room(self, size: int, patience_s: float) -> None:
        if self._held + size <= _AT_ONCE_BYTES:
            return
        with gevent.Timeout(patience_s, FrontBusy()):
            while self._held + size > _AT_ONCE_BYTES:
                gevent.sleep(_TURN_EVERY_S)


def _drain(stream: IO[bytes]) -> None:
    """A caller that is still sending would be reset, and never see the reply."""
    for _ in range(_DRAINED_BLOCKS):
        if not stream.read(_BLOCK_BYTES):
            return
