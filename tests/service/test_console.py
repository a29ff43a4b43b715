"""The console in a browser, against a running service: what people do, and what they bring."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from model.training.data.table import rows
from tests.browser import watched
from tests.service_process import SAMPLE, SAMPLE_ANSWER, Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

IMAGE = base64.b64decode(SAMPLE["image"])
DESKTOP = {"width": 1280, "height": 900}
TELEPHONE = {"width": 360, "height": 740}
PAGES = ("/", "/operator")

# The sample's character, stroke by stroke, on a paper of 100 by 100.
STROKES = (
    *([(28, 8), (14, 26)], [(32, 24), (12, 48)], [(23, 38), (23, 92)]),
    *([(40, 20), (92, 18)], [(66, 6), (64, 32)]),
    *([(44, 34), (44, 52)], [(44, 34), (88, 34), (86, 52)], [(58, 35), (58, 51)]),
    *([(73, 35), (73, 51)], [(44, 52), (87, 52)], [(40, 60), (93, 59)]),
    *([(43, 70), (38, 84)], [(53, 68), (56, 88), (78, 90), (80, 80)]),
    *([(64, 66), (68, 74)], [(82, 66), (90, 76)]),
)

# As the browser's own events have them: a file that somebody drops, or pastes.
DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, {type}));
  for (const kind of ["dragover", "drop"]) {
    const held = {dataTransfer, bubbles: true, cancelable: true};
    document.body.dispatchEvent(new DragEvent(kind, held));
  }
}"""
PASTE = (
    DROP.replace('"dragover", "drop"', '"paste"')
    .replace("{dataTransfer,", "{clipboardData: dataTransfer,")
    .replace("DragEvent", "ClipboardEvent")
)


@pytest.fixture
def console(page: Page, service: Service) -> Page:
    """The reading page, when it knows that somebody can read."""
    page.set_viewport_size(DESKTOP)
    opened(page, service, "/")
    return page


def opened(page: Page, service: Service, path: str) -> None:
    page.goto(service.url + path)
    page.wait_for_selector("#state[data-kind=ready]")


def write(page: Page) -> None:
    paper = page.locator("#paper").bounding_box()
    assert paper
    for first, *others in STROKES:
        for number, (x, y) in enumerate((first, *others)):
            at = (paper["x"] + paper["width"] * x / 100, paper["y"] + paper["width"] * y / 100)
            page.mouse.move(*at, steps=4 if number else 1)
            if not number:
                page.mouse.down()
        page.mouse.up()


def answer(page: Page) -> str:
    page.wait_for_selector("#answer[data-kind=answer], #answer[data-kind=problem]")
    return page.inner_text("#answer").strip()


def fact(page: Page, name: str) -> str:
    return page.inner_text(f"#fact-{name}")


def barriers(page: Page) -> list[Any]:
    """What axe finds that keeps somebody out."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        (violation["id"], violation["nodes"])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]


@contextmanager
def under_way(page: Page) -> Iterator[list[Any]]:
    """Notes what the page asks of the service within the block."""
    sent: list[Any] = []
    page.on("request", lambda call: sent.append(call.post_data_json) if call.post_data else None)
    yield sent


def test_a_character_is_written_and_read(console: Page) -> None:
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    write(console)
    console.click("#read")
    assert answer(console) == SAMPLE_ANSWER
    assert console.locator("#others li").count() == 5
    assert re.fullmatch(r"> 99\.9%|\d+(\.\d)?%", fact(console, "sure"))
    assert re.match(r"[1-5] of 5", fact(console, "members"))
    assert "ms" in fact(console, "queue")
    assert "ms" in fact(console, "compute")
    assert fact(console, "source") == "computed"
    assert fact(console, "bundle") == "handwriting/8"
    console.click("#copy-uuid")
    console.wait_for_selector("#copy-uuid:text('Copied')")
    uuid = console.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch("[0-9a-f]{32}", uuid)
    assert uuid == console.inner_text("#uuid")


def test_the_command_line_asks_the_same(console: Page, service: Service) -> None:
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.set_input_files("#choose", {"name": "a", "mimeType": "image/jpeg", "buffer": IMAGE})
    assert answer(console) == SAMPLE_ANSWER
    console.click("#copy-curl")
    console.wait_for_selector("#copy-curl:text('Copied')")
    words = shlex.split(console.evaluate("navigator.clipboard.readText()"))
    assert words[:3] == ["curl", "-i", f"{service.url}/inference/handwriting"]
    reply = service.post(words[-1].encode(), algorithm="handwriting")
    assert reply.headers["Punctual-Source"] == "kept"
    assert reply.json()["answer"] == SAMPLE_ANSWER


def test_on_a_telephone_what_is_written_survives_turning_it(
    browser: Browser, service: Service
) -> None:
    with watched(browser) as page:
        page.set_viewport_size(TELEPHONE)
        opened(page, service, "/")
        write(page)
        page.mouse.wheel(0, 400)
        # Somebody turns it, and back; what was written is as large as its paper each time.
        for size in ((740, 360), (320, 640), (740, 360)):
            page.set_viewport_size({"width": size[0], "height": size[1]})
        page.click("#read")
        assert answer(page) == SAMPLE_ANSWER


def test_an_algorithm_is_chosen_by_its_card(console: Page) -> None:
    """Given one more, whose card says what it wants, and which has gone when it is asked."""
    card = {"title": "<b>表單</b>", "subtitle": "整張表單", "content": "", "image_key": ""}
    card |= {"input_mimes": ["image/png"]}
    of_line = {"state": "ready", "workers": 1, "queue_length": 3}
    cards = [card | of_line | {"name": name} for name in ("handwriting", "forms")]
    console.route(
        "**/algorithms",
        lambda route: route.fulfill(json={"default": "handwriting", "algorithms": cards}),
    )
    console.get_by_role("radio").nth(1).check()
    assert console.get_by_role("radio").nth(1).locator("..").inner_text() == "<b>表單</b>\n整張表單"
    console.wait_for_selector("#state:text('3 wait')")
    console.wait_for_selector("#choose[accept='image/png']", state="attached")
    write(console)
    with console.expect_request("**/inference/forms"):
        console.keyboard.press("Control+Enter")
    assert "no longer served" in answer(console)


def test_a_stroke_is_undone_and_all_are_cleared(console: Page) -> None:
    ink = "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
    inked = f"{ink}.reduce((sum, value) => sum + value, 0)"
    empty = console.locator("#paper").evaluate(inked)
    write(console)
    full = console.locator("#paper").evaluate(inked)
    console.keyboard.press("Control+z")
    assert empty < console.locator("#paper").evaluate(inked) < full
    console.click("#clear")
    assert console.locator("#paper").evaluate(inked) == empty == 0
    assert console.locator("#undo").is_disabled()
    console.click("#read")
    assert "nothing to read yet" in answer(console)


@pytest.mark.parametrize("event", [DROP, PASTE], ids=["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(console: Page, event: str) -> None:
    console.evaluate(event, ["sample.jpg", "image/jpeg", SAMPLE["image"]])
    assert answer(console) == SAMPLE_ANSWER
    assert fact(console, "picture") == "sample.jpg"


def test_a_photo_with_too_many_pixels_is_made_smaller(console: Page) -> None:
    photo, file = Image.open(io.BytesIO(IMAGE)).resize((2_400, 2_400)), io.BytesIO()
    photo.save(file, "JPEG")
    console.set_input_files(
        "#choose", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
    )
    console.wait_for_selector(f"#glyph:text-is('{SAMPLE_ANSWER}')")
    assert fact(console, "picture") == "photo.jpg · made smaller first"


def test_a_part_of_a_picture_is_framed(console: Page) -> None:
    """Given a sheet whose one half is black, and the other has the character."""
    sheet, file = Image.new("RGB", (200, 200)), io.BytesIO()
    sheet.paste(Image.open(io.BytesIO(IMAGE)).resize((100, 200)), (100, 0))
    sheet.save(file, "PNG")
    console.evaluate(DROP, ["sheet.png", "image/png", base64.b64encode(file.getvalue()).decode()])
    answer(console)
    paper = console.locator("#paper").bounding_box()
    assert paper
    console.mouse.move(paper["x"] + paper["width"] * 0.5, paper["y"] + 2)
    console.mouse.down()
    console.mouse.move(paper["x"] + paper["width"] - 2, paper["y"] + paper["width"] - 2, steps=4)
    console.mouse.up()
    console.wait_for_selector(f"#glyph:text-is('{SAMPLE_ANSWER}')")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (
            "image/svg+xml",
            "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        ),
        ("text/html", "<script>alert(1)</script>"),
        ("image/png", "no picture"),
    ],
)
def test_what_is_no_picture_is_named_and_does_nothing(
    console: Page, kind: str, content: str
) -> None:
    console.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    name = "<img src=x onerror=alert(1)>'$(touch it)"
    console.evaluate(DROP, [name, kind, base64.b64encode(content.encode()).decode()])
    assert "cannot be read" in answer(console)
    assert name in console.inner_text("#paper-hint")


def sheet_of(boxes: list[tuple[int, int, int, int]]) -> tuple[bytes, dict[str, Any]]:
    """A picture with the sample in every box, and what is told of it: the last one is in doubt."""
    picture, file = Image.new("RGB", (400, 300), "white"), io.BytesIO()
    characters = []
    for x, y, width, height in boxes:
        picture.paste(Image.open(io.BytesIO(IMAGE)).resize((width, height)), (x, y))
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        characters.append(
            {
                **{"text": SAMPLE_ANSWER, "box": [x, y, width, height], "polygon": corners},
                **{"detection": 0.9, "read": True, "confidence": 0.99, "review": False},
                "alternatives": [{"text": "得", "confidence": 0.01}],
            }
        )
    characters[-1] |= {"review": True, "confidence": 0.4}
    picture.save(file, "PNG")
    line = {"direction": "horizontal", "characters": characters}
    page = {"page": 1, "looked_at": True, "width": 400, "height": 300, "lines": [line]}
    answer = SAMPLE_ANSWER * len(boxes)
    return file.getvalue(), {"answer": answer, "pages": [page]}


def test_a_sheet_is_looked_through_and_corrected(console: Page, tmp_path: Path) -> None:
    """Given the reply of a reader of sheets, whose last character is in doubt."""
    picture, reply = sheet_of([(40, 40, 60, 80), (120, 40, 60, 80), (200, 40, 50, 70)])
    console.route("**/inference/*", lambda route: route.fulfill(json=reply))
    encoded = base64.b64encode(picture).decode()
    console.evaluate(DROP, ["sheet.png", "image/png", encoded])
    console.wait_for_selector("#sheet h2:text('3 characters, 1 to look at')")
    boxes, letters = console.locator("#sheet rect"), console.locator("#sheet .letter")
    boxes.nth(1).click()
    assert [letters.nth(n).evaluate("(e) => e.matches('.current')") for n in range(3)] == [0, 1, 0]
    console.keyboard.press("ArrowRight")
    assert boxes.nth(2).evaluate("(e) => e.matches('.current') && e === document.activeElement")
    assert letters.nth(2).get_attribute("data-state") == "doubtful"
    assert "40% sure" in console.inner_text(".detail")

    console.get_by_role("button", name="得", exact=True).click()
    letters.nth(0).click()
    console.get_by_label("It is").fill("很")
    console.keyboard.press("Enter")
    assert console.locator("#sheet .text").inner_text() == f"很{SAMPLE_ANSWER}得"
    with console.expect_download() as download:
        console.get_by_role("button", name="Download 2 corrections").click()
    download.value.save_as(tmp_path / "corrections.csv")
    learnt = list(rows(tmp_path / "corrections.csv"))
    assert [word for _, word, _ in learnt] == ["得", "很"]
    sizes = [Image.open(io.BytesIO(image)).size for _, _, image in learnt]
    assert sizes == [(50, 70), (60, 80)]
    assert not barriers(console)


def test_a_refusal_says_what_to_do_and_the_same_is_sent_again(console: Page) -> None:
    def refuse(route: Route) -> None:
        problem = {"type": "urn:punctual:problem:line-full", "title": "Too many requests wait"}
        headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body=json.dumps(problem | {"detail": "..."}))

    console.route("**/inference/*", refuse)
    with under_way(console) as sent:
        console.evaluate(DROP, ["sample.jpg", "image/jpeg", SAMPLE["image"]])
        assert "Too many wait" in answer(console)
        console.unroute("**/inference/*")
        console.click("#again")
        console.wait_for_selector("#answer[data-kind=answer]")
    first, again = (call["esun_uuid"] for call in sent)
    assert first == again == console.inner_text("#uuid")


def test_what_the_operator_sees(page: Page, service: Service) -> None:
    from playwright.sync_api import expect

    service.post(b"{")
    opened(page, service, "/operator")
    assert page.locator(".version h2").inner_text().startswith(service.line)
    row = page.locator("#replies tr", has_text="not-json")
    before = row.locator("td").last.inner_text()
    service.post(b"{")
    expect(row.locator("td").last).to_have_text(str(int(before) + 1))
    assert "MB" in page.inner_text("#redis")


def test_nobody_is_asked_while_nobody_looks(page: Page, service: Service) -> None:
    page.clock.install()
    opened(page, service, "/operator")
    page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", {get: () => window.away, configurable: true});
          window.look = (away) => {
            window.away = away;
            document.dispatchEvent(new Event("visibilitychange"));
          };
          look(true);
        }"""
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(10_000)
    assert not asked
    with page.expect_request("**/overview"):
        page.evaluate("look(false)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_at_every_width(
    browser: Browser, service: Service, path: str, scheme: Any
) -> None:
    """In both languages: nothing sticks out, nothing is logged, and axe finds nothing serious."""
    with watched(browser) as page:
        logged: list[str] = []
        page.on("console", lambda told: logged.append(told.text))
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        opened(page, service, path)
        if path == "/":
            page.evaluate(DROP, ["sample.jpg", "image/jpeg", SAMPLE["image"]])
            answer(page)
        for language in ("zh-Hant", "en"):
            page.click(f"[data-language={language}]")
            assert page.evaluate("document.documentElement.lang") == language
            for width in (320, 768, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not barriers(page)
        assert not logged


def test_both_languages_say_everything(console: Page) -> None:
    """What the pages name, and what the one says, the other says too, and it is remembered."""
    words = console.evaluate(
        """async () => {
          const {WORDS} = await import("/pages/console/words.js");
          const keys = ([language, said]) => [language, Object.keys(said)];
          return Object.fromEntries(Object.entries(WORDS).map(keys));
        }"""
    )
    assert sorted(words["en"]) == sorted(words["zh-Hant"])
    console.click("[data-language=zh-Hant]")
    console.reload()
    assert console.evaluate("document.documentElement.lang") == "zh-Hant"
    named = console.evaluate(
        "[...document.querySelectorAll('[data-text], [data-label]')]"
        ".map((element) => element.dataset.text ?? element.dataset.label)"
    )
    assert set(named) <= set(words["en"])
