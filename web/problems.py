"""Everything the front answers that is not a 200, as RFC 9457 problem details.

Raise one of these anywhere below a view; the error handler turns it into the reply.
docs/HTTP.md lists them for callers.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import ClassVar

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

logger = logging.getLogger(__name__)


class Problem(Exception):
    """Base class. The status and the stable type belong to the class.

    So does the detail, what the caller should do, unless the case has one of its own.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    type: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something failed here"
    retry_after_s: int | None = None
    detail = "An unexpected error was logged. Send the same request again."

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.detail
        super().__init__(self.detail)


class NotJson(Problem):
    """The body is not JSON at all."""

    status = HTTPStatus.BAD_REQUEST
    type = "not-json"
    title = "The body is not JSON"


class BodyTooLarge(Problem):
    """The body or the image in it is over the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "too-large"
    title = "The image is too large"

    def __init__(self, max_image_bytes: int) -> None:
        super().__init__(f"The image is over {max_image_bytes:,} bytes. Send a smaller one.")


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
    """Too many large images arrive at once."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "front-busy"
    title = "The front is busy"
    retry_after_s = 1
    detail = (
        "Too many large images arrive at once. Send the same request again, or a smaller image."
    )


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


def register_problems(app: Flask) -> None:
    """Make every error of the application a problem document."""

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> Response:
        g.problem = problem.type
        response = _document(problem.status, problem.type, problem.title, problem.detail)
        if problem.retry_after_s is not None:
            response.headers["Retry-After"] = str(problem.retry_after_s)
        return response

    @app.errorhandler(HTTPException)
    def _http_exception(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        original = error.get_response()
        g.problem = type_ = status.phrase.lower().replace(" ", "-")
        response = _document(status, type_, status.phrase, error.description or status.phrase)
        for name in ("Allow", "Retry-After"):
            if name in original.headers:
                response.headers[name] = original.headers[name]
        return response

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        logger.exception("unexpected error", exc_info=error)
        return _problem(Problem())


def _document(status: HTTPStatus, type_: str, title: str, detail: str) -> Response:
    document = {
        "type": f"urn:punctual:problem:{type_}",
        "title": title,
        "status": status.value,
        "detail": detail,
    }
    if uuid := g.get("uuid"):
        document["esun_uuid"] = uuid
    return Response(
        json.dumps(document, ensure_ascii=False),
        status=status.value,
        content_type="application/problem+json",
    )
