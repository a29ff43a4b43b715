"""The function: from one call to its reply, with the words of the service."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import quote

from deploy.serverless.reader import Reader
from deploy.serverless.settings import ServerlessSettings
from web.prefer import applied, preferred_wait_ms
from web.problem import CONTENT_TYPE, Problem, document
from web.problems import AlgorithmUnknown, BodyTooLarge, EncodingUnknown, OfHttp
from web.reply import Answer, Source
from web.wire import InferenceRequest, max_body_bytes
from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.keys import algorithm_of

if TYPE_CHECKING:
    from deploy.serverless.once import Once

logger = logging.getLogger(__name__)


class Call(NamedTuple):
    """What HTTP, or an event that stands for it, says.

    ``algorithm``: of a path that names one. ``encoding`` and ``prefer``: those headers.
    """

    body: bytes
    method: str = "POST"
    algorithm: str | None = None
    encoding: str | None = None
    prefer: Sequence[str] = ()


class Reply(NamedTuple):
    """What HTTP is to say."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, problem: Problem, uuid: str | None = None) -> Self:
        """A problem, of the request of that uuid."""
        uuid = problem.uuid or uuid
        headers = {"Content-Type": CONTENT_TYPE}
        if problem.retry_after_s is not None:
            headers["Retry-After"] = str(problem.retry_after_s)
        if uuid is not None:
            headers["Punctual-Uuid"] = quote(uuid, safe="")
        return cls(problem.status.value, headers, document(problem, uuid))


class Function:
    """A loaded reader, and ``once`` where uuids are kept."""

    def __init__(
        self, reader: Reader, once: Once | None, settings: ServerlessSettings, clock: Clock
    ) -> None:
        self._reader = reader
        self._once = once
        self._settings = settings
        self._clock = clock

    @classmethod
    def load(cls, settings: ServerlessSettings, clock: Clock = wall_clock_ms) -> Self:
        """Verify the bundle and warm the engine; takes seconds.

        Raises:
            ModelError: the bundle cannot be served.
        """
        from model.engines.cache import Cache
        from model.ensemble import Ensemble

        cache = Cache(Path(settings.engine_cache)) if settings.engine_cache else None
        ensemble = Ensemble.load(settings.bundle, "openvino", settings.threads, cache)
        reader, once = Reader(ensemble, clock), None
        if settings.redis_url:
            # Without it, Redis is not even imported: a start has little time.
            from deploy.serverless.once import Once
            from workers.contract.connection import impatient

            redis = impatient(settings, settings.redis_timeout_ms)
            once = Once(redis, reader.bundle, settings.keep_for_ms, clock)
        return cls(reader, once, settings, clock)

    def reply(self, call: Call, left_ms: int) -> Reply:
        """Answer one call; raises nothing.

        Args:
            call: what was said.
            left_ms: so long the platform lets it compute; its caller may be less patient.
        """
        if call.method != "POST":
            problem = OfHttp(
                HTTPStatus.METHOD_NOT_ALLOWED, "The method is not allowed for the requested URL."
            )
            return _with(Reply.of(problem), Allow="POST")
        now_ms = self._clock()
        wait_ms = preferred_ms = preferred_wait_ms(call.prefer)
        if wait_ms is None:
            wait_ms = self._settings.answer_within_ms
        uuid = None
        try:
            request = self._request(call)
            uuid = request.uuid
            reply = self._answered(request, now_ms + min(wait_ms, left_ms), now_ms + left_ms)
        except Problem as problem:
            reply = Reply.of(problem, uuid)
        except Exception:
            logger.exception("unexpected error")
            reply = Reply.of(Problem(), uuid)
        if preferred_ms is None:
            return reply
        return _with(reply, Preference_Applied=applied(preferred_ms))

    def _request(self, call: Call) -> InferenceRequest:
        """In the order in which the service looks at it."""
        if call.algorithm not in (None, algorithm_of(self._reader.bundle)):
            raise AlgorithmUnknown(str(call.algorithm))
        if call.encoding not in (None, "identity"):
            raise EncodingUnknown(str(call.encoding))
        limit = self._settings.max_image_bytes
        if len(call.body) > max_body_bytes(limit):
            raise BodyTooLarge(limit)
        return InferenceRequest.parse(call.body, limit)

    def _answered(self, request: InferenceRequest, until_ms: int, ends_ms: int) -> Reply:
        answer = self._answer(request, until_ms, ends_ms)
        answer.require_answered()
        settings = self._settings
        body = answer.body(request.uuid, settings.captain_email, settings.salt.get_secret_value())
        headers = {
            "Content-Type": "application/json",
            **answer.headers(),
            "Punctual-Uuid": quote(request.uuid, safe=""),
        }
        return Reply(HTTPStatus.OK, headers, body)

    def _answer(self, request: InferenceRequest, until_ms: int, ends_ms: int) -> Answer:
        image = request.image or b""
        if self._once is None:
            return Answer(self._reader.read(image, until_ms), Source.COMPUTED)
        # Past its end the platform has ended it; and past its caller's time it asks no member more.
        lease_ms = min(ends_ms, until_ms + self._settings.lease_ms) - self._clock()
        return self._once.answer(
            request.uuid,
            request.fingerprint,
            until_ms,
            max(1, lease_ms),
            lambda: self._reader.read(image, until_ms),
        )


def _with(reply: Reply, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply._replace(headers=reply.headers | named)
