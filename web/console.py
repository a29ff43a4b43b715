"""The console: pages for people at ``/``, ``/batch`` and ``/operator``, of ``web/pages/console/``.

They use the public API alone, so they need no cookie, and a strict policy: nothing runs or is shown
that did not come from here as a file of its own.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, jsonify, request

from web.openapi.operation import Body, Operation, Reply, describe

_FOLDER = Path(__file__).parent / "pages" / "console"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# For whoever asks what is here without wanting a page.
_PLACES = {
    "inference": "/inference",
    "algorithms": "/algorithms",
    "overview": "/overview",
    "usage": "/usage",
    "ready": "/readyz",
    "alive": "/livez",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
    "console": "/",
    "batch": "/batch",
    "operator": "/operator",
}

_HTML = Body(None, {"a page": "<!doctype html>"}, "text/html")
_ROOT = Operation(
    "What is here?",
    "documents",
    (
        Reply(
            "The places of all this; who asks for `text/html` gets the console.",
            Body(dict[str, str], {"some": {"inference": "/inference", "console": "/"}}),
        ),
    ),
    is_open=True,
)
_OPERATOR = Operation(
    "How everything is, to look at",
    "documents",
    (Reply("The console's second page.", _HTML),),
    is_open=True,
)
_BATCH = Operation(
    "Many pictures as one job, to look at",
    "documents",
    (Reply("The console's page of jobs.", _HTML),),
    is_open=True,
)


def console_blueprint() -> Blueprint:
    """The pages, read once."""
    blueprint = Blueprint("console", __name__)
    reading, batch, operation = (
        (_FOLDER / f"{name}.html").read_bytes() for name in ("index", "jobs", "operator")
    )

    @blueprint.get("/")
    @describe(_ROOT)
    def root() -> Response:
        # A browser names HTML; who takes anything, as curl does, gets JSON.
        kinds = request.accept_mimetypes
        wanted = kinds.best_match(["application/json", "text/html"])
        response = _page(reading) if wanted == "text/html" else jsonify(_PLACES)
        response.vary.add("Accept")
        return response

    @blueprint.get("/batch")
    @describe(_BATCH)
    def jobs() -> Response:
        return _page(batch)

    @blueprint.get("/operator")
    @describe(_OPERATOR)
    def operator() -> Response:
        return _page(operation)

    return blueprint


def _page(html: bytes) -> Response:
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    # Asked for anew each time: the next release's page comes with its scripts.
    response.headers["Cache-Control"] = "no-cache"
    return response
