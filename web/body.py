"""The body of a request: parsed, validated, and fingerprinted."""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Self

from flask import Request, g
from gunicorn.http.errors import ParseException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import RequestEntityTooLarge

from web.problems import BodyTooLarge, FieldInvalid, FrontBusy, NotJson

# For the other fields.
_OVERHEAD_BYTES = 200_000

# A large body is one that takes milliseconds to parse; of those, two are under way at a time.
_LARGE_BYTES = 250_000
_large_bodies = threading.BoundedSemaphore(2)

# Of a body that is too large, 64 MiB are read away before the caller is told.
_BLOCK_BYTES = 65_536
_DRAINED_BLOCKS = 1_024


def max_body_bytes(max_image_bytes: int) -> int:
    """How long a body can be that carries an image of that size."""
    # Base64 grows the image by a third; lines of 76 may each end in an escaped \r\n.
    return max_image_bytes * 4 // 3 * 80 // 76 + _OVERHEAD_BYTES


def _printable(uuid: str) -> str:
    if not uuid.isprintable():
        raise ValueError("must consist of printable characters")
    return uuid


class _Fields(BaseModel):
    """What callers send. Unknown fields are ignored: callers may be newer than the service."""

    model_config = ConfigDict(strict=True)

    esun_uuid: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
    esun_timestamp: int
    image: Annotated[str, Field(min_length=1)]
    # Whether it counts tries left or done is written nowhere: logged, and never relied on.
    retry: int | None = None


@dataclass
class InferenceRequest:
    """One request. ``fingerprint`` is the SHA-256 of the image file, in hex, ``size`` its bytes.

    ``image`` is the file itself until it is handed over: whoever waits does not hold it.
    """

    uuid: str
    image: bytes | None
    size: int
    fingerprint: str
    retry: int | None

    @classmethod
    def read(cls, request: Request, max_image_bytes: int, patience_s: float) -> Self:
        """Read a body as JSON, whatever its content type said.

        Large bodies take turns: reading one costs tens of milliseconds, for which everybody else
        has to wait.

        Raises:
            FrontBusy: 503, no turn for a large body within ``patience_s`` seconds.
            NotJson: 400.
            FieldInvalid: 422, a field is missing or wrong, or the base64 is.
            BodyTooLarge: 413, the image is over the limit.
        """
        if (request.content_length or _LARGE_BYTES) < _LARGE_BYTES:
            return cls._read(request, max_image_bytes)
        if not _large_bodies.acquire(timeout=patience_s):
            raise FrontBusy
        try:
            return cls._read(request, max_image_bytes)
        finally:
            _large_bodies.release()

    @classmethod
    def _read(cls, request: Request, max_image_bytes: int) -> Self:
        body = _bytes(request, max_body_bytes(max_image_bytes))
        if body is None:
            raise BodyTooLarge(max_image_bytes)
        fields = _fields(_json(body))
        image = _base64(fields.image)
        if len(image) > max_image_bytes:
            raise BodyTooLarge(max_image_bytes)
        fingerprint = hashlib.sha256(image).hexdigest()
        return cls(fields.esun_uuid, image, len(image), fingerprint, fields.retry)


def _bytes(request: Request, limit: int) -> bytes | None:
    """The whole body, or None when it is over the limit."""
    stream = request.environ["wsgi.input"]
    try:
        with suppress(RequestEntityTooLarge):
            body = request.get_data(cache=False)
            # A chunked body is cut off at the limit without an error.
            if len(body) < limit:
                return body
        # A caller that is still sending would be reset, and never see the reply.
        for _ in range(_DRAINED_BLOCKS):
            if not stream.read(_BLOCK_BYTES):
                break
    except (OSError, ParseException) as error:
        raise NotJson("The body did not arrive whole. Send the request again.") from error
    return None


def _json(body: bytes) -> Any:
    try:
        return from_json(body.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise NotJson(
            f"The body cannot be read as JSON ({error}). Send an object with esun_uuid, "
            "esun_timestamp, image and retry."
        ) from error


def _fields(document: Any) -> _Fields:
    if not isinstance(document, dict):
        raise FieldInvalid("The body must be a JSON object with esun_uuid and image.")
    uuid = document.get("esun_uuid")
    if isinstance(uuid, str) and uuid.isprintable():
        # From here on every problem document names the request.
        g.uuid = uuid[:128]
    try:
        return _Fields.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise FieldInvalid(f"{faults}. Correct the field and send the request again.") from error


def _base64(text: str) -> bytes:
    try:
        # Wrapped lines are base64 as MIME writes it.
        packed = text.translate(_WITHOUT_LINE_BREAKS).encode("ascii")
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise FieldInvalid(
            f"image: not base64 ({error}). Encode the file's bytes as standard, padded base64, "
            "without a data: prefix."
        ) from error


_WITHOUT_LINE_BREAKS = {ord("\r"): None, ord("\n"): None}
