"""Whole sheets by HTTP: the bundle that comes with the product, read by real workers."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from model.bundle import Bundle
from tests.service_process import ROOT, Service, request_body

BUNDLE = Bundle.open(ROOT / "bundles" / "sheet")
SHEET = BUNDLE.manifest.golden[-1]


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # Who waits half a minute still waits when this machine is busy with something else.
    folder = tmp_path_factory.mktemp("sheets")
    with Service(folder, BUNDLE=str(BUNDLE.folder), JOBS=f"{folder}/jobs") as running:
        running.start(concurrency=1)
        yield running


def golden() -> bytes:
    return BUNDLE.path(SHEET.image).read_bytes()


def body(file: bytes) -> dict[str, Any]:
    return request_body(image=base64.b64encode(file).decode())


def pdf(pages: int) -> bytes:
    """Of the golden sheet, as many times."""
    stream = io.BytesIO()
    with Image.open(io.BytesIO(golden())) as sheet:
        sheet.save(
            stream, "PDF", resolution=200, save_all=True, append_images=[sheet] * (pages - 1)
        )
    return stream.getvalue()


def ask(service: Service, asked: dict[str, Any], **headers: str) -> requests.Response:
    return service.insist(asked, algorithm="sheet", **{"Prefer": "wait=30", **headers})


def test_a_sheet_is_read_and_kept(sheets: Service) -> None:
    asked = body(golden())

    first, again = ask(sheets, asked), ask(sheets, asked)
    text = ask(sheets, asked, Accept="text/plain")

    assert first.status_code == 200, first.text
    assert first.json()["answer"] == SHEET.answer
    (page,) = first.json()["pages"]
    assert "\n".join(line["text"] for line in page["lines"]) == SHEET.answer
    assert all(one["read"] for line in page["lines"] for one in line["characters"])
    assert first.headers["Punctual-Bundle"] == BUNDLE.id
    assert (again.json(), again.headers["Punctual-Source"]) == (first.json(), "kept")
    assert text.text == SHEET.answer + "\n"


def test_the_picture_with_boxes_is_drawn_in_what_was_sent(sheets: Service) -> None:
    asked = body(golden() + b"\0\0")

    first = ask(sheets, asked, Accept="image/png")
    told = ask(sheets, asked)

    assert first.headers["Content-Type"] == "image/png"
    timing = dict(re.findall(r"(\w+);dur=([\d.]+)", first.headers["Server-Timing"]))
    parts = float(timing["detector"]) + float(timing["reader"])
    assert parts == pytest.approx(float(timing["compute"]), abs=0.01)
    with Image.open(io.BytesIO(first.content)) as drawn:
        page = told.json()["pages"][0]
        assert drawn.size == (page["width"], page["height"])
        left, top, _, height = page["lines"][0]["characters"][0]["box"]
        framed = drawn.getpixel((round(left), round(top + height / 2)))
    assert framed in {(0, 150, 60), (235, 140, 0), (215, 30, 40)}


def test_each_page_of_a_job_can_be_looked_at(sheets: Service) -> None:
    url = f"{sheets.url}/jobs/pages"
    order = {"input": {"pdf": base64.b64encode(pdf(2)).decode(), "id": "form"}}
    requests.put(url, json={**order, "keep_images": True}, timeout=30)
    sheets.wait_until(lambda: requests.get(url, timeout=30).json()["state"] == "succeeded")

    lines = list(map(json.loads, requests.get(f"{url}/result", timeout=30).text.splitlines()))
    drawn = requests.get(f"{url}/items/1", headers={"Accept": "image/png"}, timeout=30)

    assert [line["id"] for line in lines] == ["form#page=1", "form#page=2"]
    assert all(line["pages"][0]["lines"] for line in lines)
    with Image.open(io.BytesIO(drawn.content)) as picture:
        assert picture.size == (lines[1]["pages"][0]["width"], lines[1]["pages"][0]["height"])


def test_of_a_pdf_every_page_is_read(sheets: Service) -> None:
    reply = ask(sheets, body(pdf(2)))
    assert reply.status_code == 200, reply.text
    assert [page["page"] for page in reply.json()["pages"]] == [1, 2]
    assert all(page["lines"] for page in reply.json()["pages"])


def test_more_pages_than_are_read_are_refused_for_good(sheets: Service) -> None:
    reply = ask(sheets, body(pdf(9)))
    assert reply.status_code == 422
    assert reply.json()["type"] == "urn:punctual:problem:image-unreadable"
    assert "more than 8 pages" in reply.json()["detail"]


def test_what_was_too_late_for_its_caller_is_made_whole_afterwards(sheets: Service) -> None:
    """Another file of the same sheet, or its answer would be kept already."""
    asked = body(golden() + b"\0")

    ask(sheets, asked, Prefer="wait=0.05")

    def whole() -> bool:
        reply = ask(sheets, asked)
        members, _, settled = reply.headers.get("Punctual-Members", "0/5").partition(";")
        return settled == "settled" or len(set(members.split("/"))) == 1

    sheets.wait_until(whole)
    assert json.loads(ask(sheets, asked).text)["answer"] == SHEET.answer
