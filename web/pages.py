"""What people look at: the files of ``web/pages/``, as they are, and the document that they show.

``web/pages/assets/`` holds what the set-up has fetched (deploy/assets.py). Pages refer to nothing
else: no request leaves the machine that serves them.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app

from web.openapi.operation import Body, Operation, Reply, describe

# A page may ask for what this front serves, be framed by nobody, and send nothing elsewhere.
_OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Redoc makes its styles as it goes, and looks for words in a worker that it has no file for.
_REDOC = _OWN.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"


def pages_blueprint() -> Blueprint:
    """``/docs`` and ``/redoc``, the document itself, and each file under ``/pages/``."""
    blueprint = Blueprint("pages", __name__, static_folder="pages", static_url_path="/pages")

    @blueprint.get("/docs")
    @describe(_page("This API, to try out", "Swagger UI."))
    def docs() -> Response:
        return _shown("docs.html", _OWN)

    @blueprint.get("/redoc")
    @describe(_page("This API, to read", "Redoc."))
    def redoc() -> Response:
        return _shown("redoc.html", _REDOC)

    @blueprint.get("/openapi.json")
    @describe(_DOCUMENT)
    def openapi() -> Response:
        return Response(current_app.extensions["openapi"], content_type="application/json")

    @blueprint.after_request
    def _distrust(response: Response) -> Response:
        # A file that is opened by itself may do nothing.
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _shown(name: str, policy: str) -> Response:
        response = blueprint.send_static_file(name)
        response.headers["Content-Security-Policy"] = policy
        return response

    return blueprint


def _page(summary: str, description: str) -> Operation:
    body = Body(None, {"a page": "<!doctype html>"}, "text/html")
    return Operation(summary, "documents", (Reply(description, body),), is_open=True)


_DOCUMENT = Operation(
    "This document",
    "documents",
    (Reply("OpenAPI 3.1.", Body(dict[str, Any], {"its beginning": {"openapi": "3.1.0"}})),),
    is_open=True,
)
