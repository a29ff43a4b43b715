"""Everything the front answers that is not a 200, as RFC 9457 problem details.

Raise one of these anywhere below a view; the error handler turns it into the reply.
docs/HTTP.md lists them for callers.
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


class NotJson(Problem):
    """The body is not JSON at all."""

    status = HTTPStatus.BAD_REQUEST
    type = "not-json"
    title = "The body is not JSON"


class OfHttp(Problem):
    """What HTTP itself has a status for: no such page or method, a head that cannot be read."""

    def __init__(self, status: HTTPStatus, detail: str | None = None) -> None:
        super().__init__(detail or status.phrase)
        self.status = status
        self.type = status.phrase.lower().replace(" ", "-")
        self.title = status.phrase


class BodyLate(Problem):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    type = "body-late"
    title = "The body did not arrive"
    detail = "The body stopped arriving, or took too long. Send the request again."


class EncodingUnknown(Problem):
    """The body is compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    type = "encoding-unknown"
    title = "The body is compressed"

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"Content-Encoding: {encoding[:100]} is not read. Send plain JSON, without that header."
        )


class BodyTooLarge(Problem):
    """The body or the image in it is over the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "too-large"
    title = "The image is too large"

    def __init__(self, max_image_bytes: int) -> None:
        super().__init__(f"The image is over {max_image_bytes:,} bytes. Send a smaller one.")


class AlgorithmUnknown(Problem):
    """Nothing is served under the name in the path."""

    status = HTTPStatus.NOT_FOUND
    type = "algorithm-unknown"
    title = "No such algorithm"

    def __init__(self, algorithm: str) -> None:
        super().__init__(f"Nothing is called {algorithm!r} here. GET /algorithms lists what is.")


class EvidenceUnknown(Problem):
    """Nothing is known of a reply to this uuid."""

    status = HTTPStatus.NOT_FOUND
    type = "evidence-unknown"
    title = "No evidence of this uuid"

    def __init__(self, *, kept: bool) -> None:
        super().__init__(
            "There is none, or no more. Evidence of a reply is there about a second after it."
            if kept
            else "No evidence is kept here. Its operator can name a folder for it (EVIDENCE)."
        )


class EvidenceAway(Problem):
    """The logbook cannot be read just now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "evidence-away"
    title = "The logbook is away"
    retry_after_s = 1
    detail = "The logbook cannot be read just now. Ask again."


class FieldInvalid(Problem):
    """A field is missing or wrong; the detail names it."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "field-invalid"
    title = "A field is missing or wrong"


class ImageUnreadable(Problem):
    """The image cannot be decoded. This is a finished result: a re-send gets it again."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "image-unreadable"
    title = "The image cannot be read"


class UuidConflict(Problem):
    """The same uuid came with another image before."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "uuid-conflict"
    title = "This esun_uuid belongs to another image"
    detail = (
        "Another image came with this esun_uuid. Use a new esun_uuid for a new image, and the same "
        "image for a re-send."
    )


class EngineFailed(Problem):
    """The engine failed, or the image took its workers with it again and again."""

    type = "engine-failed"
    title = "The image could not be computed"


class RedisAway(Problem):
    """Redis does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "queue-away"
    title = "The queue is away"
    retry_after_s = 1
    detail = "Redis does not answer. Send the same request again."


class QueueRefuses(RedisAway):
    """Redis answers, but lets the front neither read nor write."""

    type = "queue-refuses"
    title = "The queue refuses to serve"

    def __init__(self, why: str) -> None:
        super().__init__(f"Redis {why}. Send the same request again; its operator must know.")


class QueueReadOnly(Problem):
    """Redis can be read, but takes nothing new."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "queue-read-only"
    title = "The queue takes nothing new"
    retry_after_s = 1

    def __init__(self, why: str) -> None:
        super().__init__(f"Redis {why}, so nothing was begun. Send the same request again.")


class QueueFull(QueueReadOnly):
    """Redis has reached its maxmemory."""

    type = "queue-full"
    title = "The queue has no memory left"

    def __init__(self, why: str) -> None:
        Problem.__init__(
            self,
            f"Redis {why}, so nothing was begun. Send the same request again. Its operator can "
            "give it more memory, or keep answers for a shorter time (KEEP_FOR_MS).",
        )


class WorkersAway(Problem):
    """No worker has lately completed anything."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "no-worker-ready"
    title = "No worker is ready"
    retry_after_s = 1
    detail = "No worker is ready to compute. Send the same request again."


class LineFull(Problem):
    """So many wait that not even one member could answer in time."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "line-full"
    title = "Too many requests wait"
    detail = (
        "The answer could not be there in time, so nothing was begun. Send the same request again "
        "after Retry-After seconds, or at once with a longer Prefer: wait."
    )

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class FrontBusy(Problem):
    """More arrives than the front can take in."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "front-busy"
    title = "The front is busy"
    retry_after_s = 1
    detail = "More arrives at once than can be taken in. Send the same request again."


class AnswerLate(Problem):
    """The clock ran out first; the answer will be kept."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    type = "answer-late"
    title = "The answer is not there yet"
    retry_after_s = 1
    detail = (
        "The answer is still being computed and will be kept. Send the same request, with the "
        "same esun_uuid, again; a Prefer: wait=N header makes the service wait longer."
    )


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
