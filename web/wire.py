"""The wire: what a request says, from the bytes of its body. Knows no HTTP."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Self

import pybase64
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from web.problems import BodyTooLarge, FieldInvalid, NotJson, Problem

# The contract has four fields. A body of millions of brackets would cost seconds to parse.
_MAX_VALUES = 10_000

_UUID_LENGTH = 128


def _printable(uuid: str) -> str:
    if not uuid.isprintable():
        raise ValueError("must consist of printable characters")
    return uuid


def _number(value: Any) -> int:
    """Decides nothing, so however a caller writes its numbers, they will do."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return int(float(value))
        except (ValueError, OverflowError):
            pass
    raise ValueError("must be a number")


_Number = Annotated[Any, AfterValidator(_number)]


class _Fields(BaseModel):
    """What callers send. Unknown fields are ignored: callers may be newer than the service."""

    model_config = ConfigDict(strict=True)

    esun_uuid: Annotated[
        str, Field(min_length=1, max_length=_UUID_LENGTH), AfterValidator(_printable)
    ]
    esun_timestamp: _Number
    image: Annotated[str, Field(min_length=1)]
    # Whether it counts tries left or done is written nowhere: logged, and never relied on.
    retry: _Number | None = None


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
    def parse(cls, body: bytes, max_image_bytes: int) -> Self:
        """Read a body as JSON.

        Raises:
            NotJson: 400.
            FieldInvalid: 422, a field is missing or wrong, or the base64 is.
            BodyTooLarge: 413, the image is over the limit.
        """
        document = _json(body)
        if not isinstance(document, dict):
            raise FieldInvalid("The body must be a JSON object with esun_uuid and image.")
        uuid = document.get("esun_uuid")
        try:
            fields = _fields(document)
            image = _base64(fields.image)
            if len(image) > max_image_bytes:
                raise BodyTooLarge(max_image_bytes)
        except Problem as problem:
            if isinstance(uuid, str) and uuid.isprintable():
                problem.uuid = uuid[:_UUID_LENGTH]
            raise
        fingerprint = hashlib.sha256(image).hexdigest()
        return cls(fields.esun_uuid, image, len(image), fingerprint, fields.retry)


def _json(body: bytes) -> Any:
    if sum(_occurrences(body, mark) for mark in (b"[", b"{", b",")) > _MAX_VALUES:
        raise NotJson(
            f"The body has over {_MAX_VALUES:,} values. Send an object with esun_uuid, "
            "esun_timestamp, image and retry."
        )
    try:
        return from_json(body.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise NotJson(
            f"The body cannot be read as JSON ({error}). Send an object with esun_uuid, "
            "esun_timestamp, image and retry."
        ) from error


def _occurrences(body: bytes, mark: bytes) -> int:
    """How often, or that it is too often; ``bytes.count`` takes ten times as long."""
    count, at = 0, body.find(mark)
    while at >= 0 and count <= _MAX_VALUES:
        count, at = count + 1, body.find(mark, at + 1)
    return count


def _fields(document: dict[str, Any]) -> _Fields:
    try:
        return _Fields.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise FieldInvalid(f"{faults}. Correct the field and send the request again.") from error


def _base64(text: str) -> bytes:
    # Wrapped lines are base64 as MIME writes it. To look costs less than to replace nothing.
    for end in "\n\r":
        if end in text:
            text = text.replace(end, "")
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError as error:
        raise FieldInvalid(
            "image: not base64. Encode the file's bytes as standard base64, padded with =, "
            "without a data: prefix."
        ) from error
