"""The wire: what a request says, from the bytes of its body. Knows no HTTP."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Self

import pybase64
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import from_json
from typing_extensions import TypedDict

from web.problem import Problem
from web.problems import BodyTooLarge, FieldInvalid, NotJson

# The contract has four fields. A body of millions of brackets would cost seconds to parse.
_MAX_VALUES = 10_000

_UUID_LENGTH = 128

_EXPECTED = "an object with esun_uuid, esun_timestamp, image and retry"

# For the other fields.
_OVERHEAD_BYTES = 200_000


def max_body_bytes(max_image_bytes: int) -> int:
    """How long a body can be that carries an image of that size."""
    # Base64 grows the image by a third; lines of 76 may each end in an escaped \r\n.
    return max_image_bytes * 4 // 3 * 80 // 76 + _OVERHEAD_BYTES


def is_uuid(text: str) -> bool:
    """Whether a request can be called so."""
    return 0 < len(text) <= _UUID_LENGTH and text.isprintable()


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


_NUMBER_SCHEMA = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?$"},
    ]
}
_Number = Annotated[Any, AfterValidator(_number), WithJsonSchema(_NUMBER_SCHEMA)]


class InferenceFields(BaseModel):
    """What callers send. Unknown fields are ignored: callers may be newer than the service."""

    model_config = ConfigDict(strict=True)

    esun_uuid: Annotated[
        str,
        Field(
            min_length=1,
            max_length=_UUID_LENGTH,
            description="printable; names the request: a re-send has the same",
        ),
        AfterValidator(_printable),
    ]
    esun_timestamp: Annotated[_Number, Field(description="epoch seconds; not used")]
    image: Annotated[
        str,
        Field(
            min_length=1,
            description="an image file: JPEG, PNG, BMP, GIF, TIFF or WEBP, up to 4 million pixels",
            json_schema_extra={"contentEncoding": "base64"},
        ),
    ]
    # Whether it counts tries left or done is written nowhere: logged, and never relied on.
    retry: Annotated[_Number | None, Field(description="logged, nothing else")] = None


class AlternativeReply(TypedDict):
    """What else the answer could be."""

    text: Annotated[str, Field(description="a label of the bundle")]
    confidence: Annotated[float, Field(description="how likely that is, 0 to 1")]


class InferenceReply(TypedDict):
    """The answer. Every copy of a request gets the same.

    Two fields more are for those who prefer the whole representation.
    """

    esun_uuid: Annotated[str, Field(description="that of the request")]
    server_uuid: Annotated[
        str,
        Field(description="SHA-256, in hex, of `CAPTAIN_EMAIL + server_timestamp + SALT`"),
    ]
    server_timestamp: Annotated[int, Field(description="when the answer was made, epoch seconds")]
    answer: Annotated[str, Field(description="a label of the bundle, such as 德, or `isnull`")]
    confidence: NotRequired[Annotated[float, Field(description="how likely the answer is, 0 to 1")]]
    alternatives: NotRequired[
        Annotated[list[AlternativeReply], Field(description="the likeliest others, in order")]
    ]


@dataclass
class InferenceRequest:
    """One request. ``fingerprint`` is the SHA-256 of the image file, in hex, ``size`` its bytes.

    ``image`` is the file itself until it is handed over: whoever waits does not hold it. ``trace``
    is its ``traceparent``, if it is traced.
    """

    uuid: str
    image: bytes | None
    size: int
    fingerprint: str
    retry: int | None
    trace: str = ""

    @classmethod
    def parse(cls, body: bytes, max_image_bytes: int) -> Self:
        """Read a body as JSON.

        Raises:
            NotJson: 400.
            FieldInvalid: 422, a field is missing or wrong, or the base64 is.
            BodyTooLarge: 413, the image is over the limit.
        """
        document = parsed(body, _EXPECTED)
        if not isinstance(document, dict):
            raise FieldInvalid("The body must be a JSON object with esun_uuid and image.")
        uuid = document.get("esun_uuid")
        try:
            fields = _fields(document)
            image = decoded(fields.image, "image")
            if len(image) > max_image_bytes:
                raise BodyTooLarge(max_image_bytes)
        except Problem as problem:
            if isinstance(uuid, str) and uuid.isprintable():
                problem.uuid = uuid[:_UUID_LENGTH]
            raise
        fingerprint = hashlib.sha256(image).hexdigest()
        return cls(fields.esun_uuid, image, len(image), fingerprint, fields.retry)


def parsed(body: bytes, expected: str) -> Any:
    """The body as JSON; an error tells what was ``expected``.

    Raises:
        NotJson: 400.
    """
    if sum(_occurrences(body, mark) for mark in (b"[", b"{", b",")) > _MAX_VALUES:
        raise NotJson(f"The body has over {_MAX_VALUES:,} values. Send {expected}.")
    try:
        return from_json(body.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise NotJson(f"The body cannot be read as JSON ({error}). Send {expected}.") from error


def _occurrences(body: bytes, mark: bytes) -> int:
    """How often, or that it is too often; ``bytes.count`` takes ten times as long."""
    count, at = 0, body.find(mark)
    while at >= 0 and count <= _MAX_VALUES:
        count, at = count + 1, body.find(mark, at + 1)
    return count


def _fields(document: dict[str, Any]) -> InferenceFields:
    try:
        return InferenceFields.model_validate(document)
    except ValidationError as error:
        raise FieldInvalid(
            f"{faults(error)}. Correct the field and send the request again."
        ) from error


def faults(error: ValidationError) -> str:
    """What is wrong with which fields, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    )


def decoded(text: str, field: str) -> bytes:
    """The bytes behind the base64 of a field.

    Raises:
        FieldInvalid: 422.
    """
    # Wrapped lines are base64 as MIME writes it. To look costs less than to replace nothing.
    for end in "\n\r":
        if end in text:
            text = text.replace(end, "")
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError as error:
        raise FieldInvalid(
            f"{field}: not base64. Encode the file's bytes as standard base64, padded with =, "
            "without a data: prefix."
        ) from error
