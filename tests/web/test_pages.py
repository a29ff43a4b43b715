"""The pages of a front: who may do what on them."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.service_process import ROOT
from web.app import create_app
from web.settings import WebSettings

PAGES = ROOT / "web" / "pages"


@pytest.fixture(scope="module")
def front() -> FlaskClient:
    return create_app(WebSettings.model_construct()).test_client()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_runs_its_own_files_alone(front: FlaskClient, path: str) -> None:
    page = front.get(path, buffered=True)
    assert page.status_code == 200
    assert page.content_type == "text/html; charset=utf-8"
    policy = dict(
        directive.split(" ", 1) for directive in page.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe-inline" not in policy["style-src"] or path == "/redoc"
    for address in re.findall(r'(?:src|href)="([^"]*)"', page.text):
        assert re.match(r"/[a-z]|data:,", address), address
        if address.startswith("/") and not address.startswith("/pages/assets/"):
            assert front.get(address, buffered=True).status_code == 200, address


def test_a_file_that_is_opened_by_itself_may_do_nothing(front: FlaskClient) -> None:
    for path in PAGES.glob("*.*"):
        reply = front.get(f"/pages/{path.name}", buffered=True)
        assert reply.data == path.read_bytes()
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/pages/assets/none/none.js",
        "/pages/../pages.py",
        "/pages/%2e%2e/pages.py",
        "/pages/..%2fpages.py",
        "/static/docs.html",
        "/pages/",
    ],
)
def test_what_is_no_file_of_a_page_is_a_problem(front: FlaskClient, path: str) -> None:
    reply = front.get(path)
    assert reply.status_code == 404
    assert reply.content_type == "application/problem+json"


def test_a_page_is_fetched_again_when_it_has_changed(front: FlaskClient) -> None:
    first = front.get("/pages/docs.js", buffered=True)
    assert first.headers["Cache-Control"] == "no-cache"
    again = front.get(
        "/pages/docs.js", buffered=True, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
