"""Every error of the Flask application becomes a problem document."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from web.problem import CONTENT_TYPE, Problem, document
from web.problems import OfHttp

logger = logging.getLogger(__name__)


def register_problems(app: Flask) -> None:
    """Make every error of the application a problem document."""

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> Response:
        g.problem = problem.type
        g.uuid = problem.uuid or g.get("uuid")
        response = Response(
            document(problem, g.uuid), status=problem.status.value, content_type=CONTENT_TYPE
        )
        response.headers.update(problem.headers)
        if problem.retry_after_s is not None:
            response.headers["Retry-After"] = str(problem.retry_after_s)
        return response

    @app.errorhandler(HTTPException)
    def _http_exception(error: HTTPException) -> Response:
        response = _problem(OfHttp(HTTPStatus(error.code or 500), error.description))
        original = error.get_response()
        for name in ("Allow", "Retry-After"):
            if name in original.headers:
                response.headers[name] = original.headers[name]
        return response

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        logger.exception("unexpected error", exc_info=error)
        return _problem(Problem())
