"""The problems of requests for an answer, and of whatever it takes to give one."""

from __future__ import annotations

from http import HTTPStatus

from web.problem import Problem


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
