"""The console's page of jobs in a browser: ordered, looked at, cancelled, downloaded."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import watched
from tests.service.test_console import barriers
from tests.service_process import SAMPLE, SAMPLE_ANSWER, Service, another_image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Page


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, light=True, JOBS=f"{folder}/jobs") as running:
        running.start(concurrency=1)
        yield running


def opened(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/batch")
    page.wait_for_selector("#state[data-kind=ready]")


def archive(*images: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for number, image in enumerate(images):
            made.writestr(f"{number}.png", image)
    return buffer.getvalue()


def file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def test_a_file_is_chosen_and_what_was_read_is_downloaded(page: Page, service: Service) -> None:
    opened(page, service)
    data = archive(base64.b64decode(SAMPLE["image"]), b"no picture")
    page.set_input_files("#choose", file("三月 march.zip", data))
    job = page.locator(".job[data-state=succeeded]")
    job.wait_for()
    assert job.locator("h3").inner_text().startswith("march-")
    assert "1 could not be read" in job.locator(".counts").inner_text()
    with page.expect_download() as download:
        job.get_by_role("link").click()
    lines = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert [line.get("answer") for line in lines] == [SAMPLE_ANSWER, None]


def test_what_is_under_way_is_cancelled_from_the_keyboard(page: Page, service: Service) -> None:
    opened(page, service)
    images = [base64.b64decode(another_image(number)) for number in range(2_000)]
    page.set_input_files("#choose", file("many.zip", archive(*images)))
    job = page.locator(".job", has_text="many-")
    cancel = job.get_by_role("button")
    cancel.focus()
    job.locator('progress[value]:not([value="0"])').wait_for()
    # Looking again has not taken it away.
    page.keyboard.press("Enter")
    page.wait_for_selector(".job[data-state=cancelled]")
    assert cancel.is_hidden()


def test_what_is_wrong_is_told(page: Page, service: Service) -> None:
    opened(page, service)
    page.set_input_files("#choose", file("broken.zip", b"no zip"))
    page.locator(".job[data-state=failed]", has_text="neither a zip nor a tar").wait_for()
    page.route("**/jobs/full-*", lambda route: route.fulfill(status=503, json=FULL))
    page.set_input_files("#choose", file("full.csv", b"?"))
    page.get_by_role("alert").get_by_text("There is no room for more jobs now").wait_for()


FULL = {"type": "urn:punctual:problem:jobs-full", "title": "?", "detail": "Later.", "status": 503}


@pytest.mark.parametrize("secure", [True, False])
def test_a_large_file_goes_in_parts_where_digests_can_be_made(
    browser: Browser, service: Service, tmp_path: Path, secure: bool
) -> None:
    path = tmp_path / "large.csv"
    path.write_text(f"image_64_encoded\n{SAMPLE['image']}\n{'A' * 6_000_000}\n")
    with watched(browser) as page:
        if not secure:
            page.add_init_script("Object.defineProperty(crypto, 'subtle', {value: undefined})")
        opened(page, service)
        page.set_input_files("#choose", path)
        if secure:
            page.locator(".job[data-state=succeeded]", has_text="large-").wait_for()
        else:
            page.get_by_role("alert").get_by_text("takes up to 5.9 MB").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_for_everybody_at_every_width(
    browser: Browser, service: Service, scheme: Any
) -> None:
    with watched(browser) as page:
        logged: list[str] = []
        page.on("console", lambda told: logged.append(told.text))
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        opened(page, service)
        page.set_input_files("#choose", file("a.zip", archive(b"no picture")))
        page.locator(".job").first.wait_for()
        for language in ("zh-Hant", "en"):
            page.click(f"[data-language={language}]")
            for width in (320, 768, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not barriers(page)
        assert not logged


def test_where_there_are_no_jobs_it_says_so(page: Page, service: Service) -> None:
    page.route("**/jobs?limit=50", lambda route: route.fulfill(status=404, json=NOWHERE))
    page.goto(f"{service.url}/batch")
    page.get_by_role("alert").get_by_text("No jobs are taken here").wait_for()


NOWHERE = {"type": "urn:punctual:problem:not-found", "title": "Not Found", "status": 404}
