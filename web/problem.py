"""A problem: what the front answers that is not a 200, in the form of RFC 9457.

Raise one anywhere below a view; the error handler turns it into the reply. docs/HTTP.md lists them
for callers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, NotRequired
from urllib.parse import quote

from pydantic import Field
from typing_extensions import TypedDict

CONTENT_TYPE = "application/problem+json"

# Made once: `json.dumps` makes one for each call.
_ENCODER = json.JSONEncoder(ensure_ascii=False)


class Problem(Exception):
    """Base class. The status and the stable type belong to the class.

    So does the detail, what the caller should do, unless the case has one of its own.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "internal"
    title = "Something failed here"
    retry_after_s: int | None = None
    detail = "An unexpected error was logged. Send the same request again."
    # Beside Retry-After.
    headers: Mapping[str, str] = MappingProxyType({})
    # Of the request, once it is known.
    uuid: str | None = None

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.detail
        super().__init__(self.detail)

    @property
    def urn(self) -> str:
        """The type as callers see it."""
        return f"urn:punctual:problem:{self.type}"


class ProblemDocument(TypedDict):
    """What went wrong, and what to do (RFC 9457)."""

    type: Annotated[str, Field(description="which kind of problem; stable")]
    title: Annotated[str, Field(description="the kind in words, for people")]
    status: Annotated[int, Field(description="that of the reply")]
    detail: Annotated[str, Field(description="what to do, for people")]
    esun_uuid: NotRequired[
        Annotated[str, Field(description="of the request, wherever it could be read")]
    ]


def document(problem: Problem, uuid: str | None) -> bytes:
    """The problem as the JSON of RFC 9457, with the uuid of the request if it is known."""
    fields: ProblemDocument = {
        "type": problem.urn,
        "title": problem.title,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    if uuid is not None:
        fields["esun_uuid"] = uuid
    return _ENCODER.encode(fields).encode()


class Reply:
    """The whole HTTP reply for calls that are refused before Flask is entered.

    Made once for all that are refused together; only their names are put in.
    """

    def __init__(self, problem: Problem, *, close: bool) -> None:
        self._document = document(problem, None)
        retry = "" if problem.retry_after_s is None else f"Retry-After: {problem.retry_after_s}\r\n"
        self._head = (
            f"HTTP/1.1 {problem.status.value} {problem.status.phrase}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\n{retry}".encode()
        )
        self._connection = b"close" if close else b"keep-alive"

    def to(self, uuid: str | None) -> bytes:
        """The bytes; with the request's name where it is known."""
        body, name = self._document, b""
        if uuid is not None:
            body = b'%s, "esun_uuid": %s}' % (body[:-1], _ENCODER.encode(uuid).encode())
            name = b"Punctual-Uuid: %s\r\n" % quote(uuid, safe="").encode()
        return b"%s%sContent-Length: %d\r\nConnection: %s\r\n\r\n%s" % (
            *(self._head, name, len(body)),
            *(self._connection, body),
        )
