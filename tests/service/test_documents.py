"""The documents of a running service: in a browser, and against what it really replies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import assets
from deploy.programs import logbook
from tests.browser import watched
from tests.service_process import ROOT, SAMPLE_ANSWER, Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module", autouse=True)
def _fetched() -> None:
    """As ``make test`` has done before."""
    assert assets.fetch()


def test_an_operation_can_be_tried_out(service: Service, page: Page) -> None:
    page.goto(f"{service.url}/docs#/inference/post_inference")
    page.get_by_role("button", name="Execute").click()
    reply = page.locator(".live-responses-table")
    reply.get_by_text("Response body").wait_for()
    assert f'"answer": "{SAMPLE_ANSWER}"' in reply.inner_text()
    assert "punctual-source" in reply.inner_text()


def test_all_can_be_read(service: Service, browser: Browser) -> None:
    """Redoc tries to show a picture of its makers' site, which its page forbids."""
    with watched(browser, forbidden="https://cdn.redoc.ly/") as page:
        page.goto(f"{service.url}/redoc")
        page.get_by_role("heading", name="Read one image").first.wait_for()
        page.get_by_role("textbox").fill("image")
        page.get_by_role("menuitem", name="Read one image").first.wait_for()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_says_what_could_not_be_fetched(service: Service, page: Page, path: str) -> None:
    page.route("**/pages/assets/**", lambda route: route.fulfill(status=404))
    page.goto(service.url + path)
    told = page.get_by_role("alert")
    told.wait_for()
    assert "deploy.assets" in told.inner_text()
    told.get_by_role("link", name="openapi.json").click()
    page.wait_for_url("**/openapi.json")


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Service]:
    """A service with all that can be asked for."""
    folders = {"JOBS": f"{tmp_path}/jobs", "EVIDENCE": f"{tmp_path}/evidence"}
    with Service(tmp_path, light=True, **folders) as running:
        running.spawn(logbook())
        running.start(concurrency=1)
        yield running


def test_every_reply_is_as_it_is_documented(whole: Service) -> None:
    """A few hundred cases; CONTRIBUTING.md has the command for thousands."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", "tests/schemathesis.toml", "run", f"{whole.url}/openapi.json"),
            *("--max-examples", "5", "--seed", "1", "--no-color"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
