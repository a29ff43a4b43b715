"""``POST /inference``: one image in, one answer out, on time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, g, request

from web.body import Bodies
from web.books import Books
from web.dispatcher import Dispatcher
from web.drawing import PNG, Drawing
from web.exchange import Exchange
from web.glance import Glance
from web.guard import Guard
from web.job_wire import JobRequest
from web.jobs import accepted
from web.lobby import Lobby
from web.metrics import Metrics
from web.openapi.inference import inference_operation
from web.openapi.operation import describe
from web.orders import Orders
from web.prefer import (
    RESPOND_ASYNC,
    applied,
    preferred_wait_ms,
    prefers_async,
    prefers_representation,
)
from web.problem import Problem
from web.problems import FrontBusy
from web.reply import Answer
from web.settings import WebSettings
from web.status import LatestStatus
from web.tally import Tally
from web.traces import Traces
from web.turnstile import SMALL_BYTES, Turnstile
from web.wire import InferenceRequest
from workers.contract.account import Account, Right
from workers.contract.clock import Clock, Deadlines

_TEXT = "text/plain"
_TYPES = ("application/json", _TEXT, PNG)  # the first is for those who take any


def inference_blueprint(
    settings: WebSettings,
    latest: LatestStatus,
    dispatcher: Dispatcher,
    turnstile: Turnstile,
    lobby: Lobby,
    metrics: Metrics,
    tally: Tally,
    books: Books,
    guard: Guard,
    traces: Traces,
    clock: Clock,
    drawing: Drawing,
    orders: Orders | None = None,
) -> Blueprint:
    """The contest's contract; docs/HTTP.md shows every exchange.

    ``orders``: where jobs are made, if there are any, for callers who rather come back.
    """
    blueprint = Blueprint("inference", __name__)
    bodies = Bodies(settings.max_image_bytes)

    # Flask's ``g`` and ``request`` take a look-up each time, and ``request.headers`` two: what is
    # asked for often is taken out of them once.
    @blueprint.before_request
    def _begin() -> None:
        environ = request.environ
        prefer = [environ["HTTP_PREFER"]] if "HTTP_PREFER" in environ else []
        g.exchange = exchange = Exchange(
            _arrived_ms(environ, clock),
            *(prefer, preferred_wait_ms(prefer), prefers_representation(prefer)),
        )
        # After that: a refusal has an arrival, too.
        exchange.account = guard.let_in(environ)

    @blueprint.post("/inference")
    @blueprint.post("/inference/<algorithm>")
    @describe(inference_operation(settings))
    def inference(algorithm: str | None = None) -> Response:
        exchange: Exchange = g.exchange
        environ = request.environ
        exchange.algorithm = algorithm
        # A wrong name needs no body. That there is no algorithm at all is told after what is wrong
        # with the request itself.
        if algorithm is not None:
            latest.named(algorithm)
        wait_ms = exchange.preferred_ms or settings.answer_within_ms
        body = bodies.read(environ, wait_ms / 1000)
        lobby.leave()
        exchange.asked = asked = _parsed(body, environ, settings.max_image_bytes)
        del body
        # The problems of other routes tell theirs as well.
        g.uuid = exchange.uuid = asked.uuid
        exchange.span = traces.begin(asked, environ.get("HTTP_TRACEPARENT"), exchange.arrived_ms)
        exchange.image = asked.image if settings.keeps_images else None
        deadlines = Deadlines.after(
            exchange.arrived_ms,
            due_in_ms=wait_ms * settings.backlog_ms // settings.answer_within_ms,
            wait_ms=wait_ms,
            useful_for_ms=settings.useful_for_ms,
            drop_after_ms=settings.drop_after_ms,
        )
        name = latest.named(algorithm)
        exchange.bill = books.bill(exchange.account, name)
        if orders and _may_use_jobs(exchange.account) and prefers_async(exchange.prefer):
            return _ordered(orders, name, asked)
        # Whoever waits holds no image, but for what is to be drawn in.
        file = asked.image if PNG in environ.get("HTTP_ACCEPT", "") else None
        with metrics.waiting.track_inprogress():
            try:
                answer = dispatcher.answer(name, asked, deadlines, exchange.bill)
            except Problem as problem:
                if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    turnstile.note(problem, wait_ms, algorithm, asked.size)
                raise
        exchange.answer = answer
        answer.require_answered()
        exchange.source = answer.source
        if file is not None and _wanted(answer) == PNG:
            until_ms = deadlines.answer_by_ms
            return _headed(drawing.response(name, file, answer.pages, until_ms), answer)
        return _response(asked.uuid, answer, settings, whole=exchange.whole)

    @blueprint.after_request
    def _finish(response: Response) -> Response:
        exchange: Exchange = g.exchange
        _conclude(exchange, response, clock())
        # Once the caller has its reply: accounts need not be on time.
        response.call_on_close(partial(tally.note, exchange))
        return response

    return blueprint


def _glance(environ: Mapping[str, Any]) -> Glance | None:
    """That of the door, where the request came through it."""
    return getattr(environ.get("gunicorn.socket"), "glance", None)


def _arrived_ms(environ: Mapping[str, Any], clock: Clock) -> int:
    """When it reached this machine, which may be long before a front gets round to it."""
    glance = _glance(environ)
    if glance is None:
        return clock()
    # The clock of one that is still being sent does not start before it can be read.
    if glance.arrived_ms is None or not glance.is_whole:
        return clock() - glance.arrival().age_ms
    return glance.arrived_ms


def _may_use_jobs(account: Account | None) -> bool:
    """A job is a preference: whose account may use none waits for its answer."""
    return account is None or account.has(Right.JOBS)


def _parsed(body: bytes, environ: Mapping[str, Any], max_image_bytes: int) -> InferenceRequest:
    glance = _glance(environ)
    if len(body) > SMALL_BYTES and glance is not None and glance.arrival().hung_up:
        # It would cost much to parse, for nobody.
        raise FrontBusy
    return InferenceRequest.parse(body, max_image_bytes)


def _response(uuid: str, answer: Answer, settings: WebSettings, *, whole: bool) -> Response:
    """As JSON; or the text alone, where there is one and its caller rather has that."""
    email, salt = settings.captain_email, settings.salt.get_secret_value()
    if _wanted(answer) == _TEXT:
        return _headed(Response(answer.text, content_type=f"{_TEXT}; charset=utf-8"), answer)
    body = answer.body(uuid, email, salt, whole=whole)
    return _headed(Response(body, content_type="application/json"), answer)


def _headed(response: Response, answer: Answer) -> Response:
    """With how the answer came about."""
    response.headers.extend(answer.headers())
    if answer.has_text:
        response.vary.add("Accept")
    return response


def _conclude(exchange: Exchange, response: Response, now_ms: int) -> None:
    """What a refusal has as well."""
    exchange.status, exchange.answered_ms = response.status_code, now_ms
    if exchange.status >= HTTPStatus.BAD_REQUEST:
        exchange.problem, exchange.uuid = g.get("problem", ""), g.get("uuid")
    headers = response.headers
    whole = exchange.whole and exchange.status == HTTPStatus.OK
    if granted := applied(exchange.preferred_ms, whole=whole):
        headers.setdefault("Preference-Applied", granted)
    if exchange.uuid is not None:
        headers["Punctual-Uuid"] = quote(exchange.uuid, safe="")
    if exchange.bill is not None:
        for name, value in exchange.bill.headers(now_ms).items():
            headers.add(name, value)


def _wanted(answer: Answer) -> str | None:
    """The kind that the caller would rather have; of single characters there is JSON alone."""
    return request.accept_mimetypes.best_match(_TYPES) if answer.has_text else None


def _ordered(orders: Orders, algorithm: str, asked: InferenceRequest) -> Response:
    """A job for this image, the same one for each copy of the request."""
    name = hashlib.sha256(f"{algorithm} {asked.uuid}".encode()).hexdigest()[:32]
    order = JobRequest.of_image(algorithm, asked.uuid, asked.image or b"")
    response = accepted(orders.create(name, order))
    response.headers["Preference-Applied"] = RESPOND_ASYNC
    return response
