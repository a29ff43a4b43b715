"""``POST /inference``: one image in, one answer out, on time."""

from __future__ import annotations

import hashlib
import json
import logging
from http import HTTPStatus
from urllib.parse import quote

from flask import Blueprint, Response, g, request

from web.arrival import arrival
from web.body import Bodies
from web.dispatcher import Answer, Dispatcher, Source
from web.lobby import Lobby
from web.metrics import Metrics
from web.prefer import applied, preferred_wait_ms
from web.problems import FrontBusy, Problem
from web.settings import WebSettings
from web.status import LatestStatus
from web.turnstile import SMALL_BYTES, Turnstile
from web.wire import InferenceRequest
from workers.contract.clock import Clock, Deadlines

logger = logging.getLogger(__name__)


def inference_blueprint(
    settings: WebSettings,
    latest: LatestStatus,
    dispatcher: Dispatcher,
    turnstile: Turnstile,
    lobby: Lobby,
    metrics: Metrics,
    clock: Clock,
) -> Blueprint:
    """The contest's contract; docs/HTTP.md shows every exchange."""
    blueprint = Blueprint("inference", __name__)
    bodies = Bodies(settings.max_image_bytes)

    @blueprint.before_request
    def _note_arrival() -> None:
        # When it reached this machine, which may be long before a front gets round to it.
        g.arrival_ms = clock() - arrival(request.environ.get("gunicorn.socket")).age_ms
        g.preferred_ms = preferred_wait_ms(request.headers.getlist("Prefer"))

    @blueprint.post("/inference")
    @blueprint.post("/inference/<algorithm>")
    def inference(algorithm: str | None = None) -> Response:
        g.algorithm = algorithm
        # A wrong name needs no body. That there is no algorithm at all is told after what is wrong
        # with the request itself.
        if algorithm is not None:
            latest.named(algorithm)
        wait_ms = g.preferred_ms or settings.answer_within_ms
        body = bodies.read(request, wait_ms / 1000)
        lobby.leave()
        if len(body) > SMALL_BYTES and arrival(request.environ.get("gunicorn.socket")).hung_up:
            # It would cost much to parse, for nobody.
            raise FrontBusy
        asked = InferenceRequest.parse(body, settings.max_image_bytes)
        del body
        g.uuid, g.retry = asked.uuid, asked.retry
        deadlines = Deadlines.after(
            g.arrival_ms,
            due_in_ms=wait_ms * settings.backlog_ms // settings.answer_within_ms,
            wait_ms=wait_ms,
            useful_for_ms=settings.useful_for_ms,
            drop_after_ms=settings.drop_after_ms,
        )
        name = latest.named(algorithm)
        with metrics.waiting.track_inprogress():
            try:
                answer = dispatcher.answer(name, asked, deadlines)
            except Problem as problem:
                if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    turnstile.note(problem, wait_ms, algorithm, asked.size)
                raise
        g.source = answer.source
        return _reply(asked.uuid, answer, settings)

    @blueprint.after_request
    def _finish(response: Response) -> Response:
        if g.preferred_ms is not None:
            response.headers["Preference-Applied"] = applied(g.preferred_ms)
        uuid, source, retry = g.get("uuid"), g.get("source", "none"), g.get("retry")
        problem, algorithm = g.get("problem", ""), g.get("algorithm")
        if uuid is not None:
            response.headers["Punctual-Uuid"] = quote(uuid, safe="")
        took_ms = clock() - g.arrival_ms
        # Once the caller has its reply: accounts need not be on time.
        response.call_on_close(
            lambda: _account(response.status_code, algorithm, uuid, source, problem, took_ms, retry)
        )
        return response

    def _account(
        status: int,
        algorithm: str | None,
        uuid: str | None,
        source: str,
        problem: str,
        took_ms: int,
        retry: int | None,
    ) -> None:
        name = metrics.observe(algorithm, status, source, problem, took_ms)
        logger.info(
            "algorithm=%s uuid=%s status=%d source=%s type=%s took_ms=%d retry=%s",
            *(name, uuid, status, source, problem or "none", took_ms, retry),
        )

    return blueprint


def _reply(uuid: str, answer: Answer, settings: WebSettings) -> Response:
    """The four fields of the contract, and in headers how the answer came about.

    The timestamp is the moment the answer was made. So every copy of a uuid gets the same body.
    """
    result = answer.result
    timestamp = result.finished_s
    proof = f"{settings.captain_email}{timestamp}{settings.salt.get_secret_value()}"
    body = {
        "esun_uuid": uuid,
        "server_uuid": hashlib.sha256(proof.encode()).hexdigest(),
        "server_timestamp": timestamp,
        "answer": result.text,
    }
    response = Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
    queue_ms, compute_ms = result.queue_ms, result.compute_us / 1000
    if answer.source is Source.KEPT:
        queue_ms = compute_ms = 0
    response.headers["Server-Timing"] = f"queue;dur={queue_ms:g}, compute;dur={compute_ms:g}"
    response.headers["Punctual-Source"] = answer.source
    response.headers["Punctual-Bundle"] = result.bundle
    settled = ";settled" if result.whole and result.members < result.of_members else ""
    response.headers["Punctual-Members"] = f"{result.members}/{result.of_members}{settled}"
    return response
