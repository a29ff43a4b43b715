"""``/jobs``: much work under one name, asked for once and fetched when it is done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request

from web.aside import aside
from web.drawing import PNG, Drawing
from web.guard import account_name, own
from web.idempotency import name_by
from web.job_problems import ImageGone, ItemUnknown, JobUnknown
from web.job_wire import told
from web.openapi.jobs import (
    DELETE_JOB,
    GET_ITEM,
    GET_JOB,
    GET_RESULT,
    LIST_JOBS,
    POST_JOB,
    PUT_JOB,
)
from web.openapi.operation import describe
from web.orders import Orders
from web.prefer import preferred_wait_ms
from web.problems import FieldInvalid, ImageUnreadable
from web.query import number
from workers.contract.clock import Clock
from workers.contract.items import Items, Told
from workers.contract.job import Job, name_of
from workers.contract.jobs import Jobs

# It becomes a part of URLs and of the names of tasks.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

_PAGE, _MAX_PAGE = 20, 100
# Before no job.
_LATEST = 2**62
_LOOK_AGAIN_S = 1

_DRAWN_WITHIN_MS = 10_000
_TEXT = "text/plain"
_KINDS = ("application/json", _TEXT, PNG)  # the first is for those who take any


def jobs_blueprint(
    jobs: Jobs, items: Items, orders: Orders, drawing: Drawing, clock: Clock
) -> Blueprint:
    """docs/HTTP.md shows every exchange."""
    blueprint = Blueprint("jobs", __name__)

    @blueprint.put("/jobs/<name>")
    @describe(PUT_JOB)
    def put(name: str) -> Response:
        if not _ID.fullmatch(name):
            raise FieldInvalid(
                "The id of a job has up to 128 letters, digits, - and _, and begins with a letter "
                "or digit. A UUID will do."
            )
        return accepted(orders.take(request, name))

    @blueprint.post("/jobs")
    @describe(POST_JOB)
    def post() -> Response:
        return accepted(orders.take(request, name_by(request, "job")))

    @blueprint.get("/jobs/<name>")
    @describe(GET_JOB)
    def get(name: str) -> Response:
        return _reply(known(name), HTTPStatus.OK)

    @blueprint.delete("/jobs/<name>")
    @describe(DELETE_JOB)
    def delete(name: str) -> Response:
        job = aside(jobs.cancel, own(name))
        if job is None:
            raise JobUnknown
        return _reply(job, HTTPStatus.ACCEPTED)

    @blueprint.get("/jobs/<name>/result")
    @describe(GET_RESULT)
    def result(name: str) -> Response:
        pages = _pages(items.results(known(name)))
        return Response(pages, content_type="application/x-ndjson")

    @blueprint.get("/jobs/<name>/items/<int:number>")
    @describe(GET_ITEM)
    def item(name: str, number: int) -> Response:
        job = known(name)
        told = aside(items.told, job, number)
        if told is None:
            raise ItemUnknown
        response = _item(job, told)
        response.vary.add("Accept")
        return response

    @blueprint.get("/jobs")
    @describe(LIST_JOBS)
    def index() -> Response:
        count = number("limit", _PAGE, _MAX_PAGE)
        before = number("cursor", _LATEST, _LATEST)
        found = aside(jobs.page, account_name(), before, count + 1)
        page = found[:count]
        more = str(page[-1].number) if page and len(found) > len(page) else None
        return jsonify(jobs=list(map(told, page)), next=more)

    def _item(job: Job, told: Told) -> Response:
        wanted = request.accept_mimetypes.best_match(_KINDS)
        result = json.loads(told.line)
        if wanted in {_TEXT, PNG} and "error" in result:
            raise ImageUnreadable(result["error"]["detail"])
        if wanted == _TEXT:
            return Response(f"{result['answer']}\n", content_type=f"{_TEXT}; charset=utf-8")
        if wanted != PNG or "pages" not in result:
            return Response(told.line, content_type="application/json")
        if not told.item.path.exists():
            raise ImageGone
        file = aside(told.item.image)
        within_ms = preferred_wait_ms(request.headers.getlist("Prefer")) or _DRAWN_WITHIN_MS
        return drawing.response(job.algorithm, file, result["pages"], clock() + within_ms)

    def known(name: str) -> Job:
        job = aside(jobs.find, own(name))
        if job is None:
            raise JobUnknown
        return job

    return blueprint


def accepted(job: Job) -> Response:
    """What is told of a job that was asked for; one that is sent again may have ended."""
    return _reply(job, HTTPStatus.OK if job.state.is_end else HTTPStatus.ACCEPTED)


def _reply(job: Job, status: HTTPStatus) -> Response:
    text = json.dumps(told(job), ensure_ascii=False)
    response = Response(text, status, content_type="application/json")
    response.headers["Location"] = f"/jobs/{name_of(job.id)}"
    if not job.state.is_end:
        response.headers["Retry-After"] = str(_LOOK_AGAIN_S)
    return response


def _pages(lines: Iterator[str]) -> Iterator[str]:
    while page := aside(next, lines, ""):
        yield page
