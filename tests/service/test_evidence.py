"""A service with a logbook: whatever ails it no reply waits for it, and what it missed comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from deploy.programs import logbook
from model.bundle import Bundle
from tests.service_process import ROOT, SAMPLE_ANSWER, Service, bundle_with, request_body
from workers.contract.logbook import FILE

if TYPE_CHECKING:
    from playwright.sync_api import Page

# More than the kernel holds for a logbook that reads nothing.
MANY = 15


class Told(Service):
    """A service whose fronts tell a logbook."""

    def __init__(self, folder: Path) -> None:
        self.evidence = folder / "evidence"
        super().__init__(folder, EVIDENCE=str(self.evidence), EVIDENCE_IMAGE_DAYS="1")

    def start_logbook(self) -> psutil.Popen:
        self.logbook = self.spawn(logbook())
        self.wait_until((self.evidence / "logbook.sock").exists)
        return self.logbook

    def ask(self, count: int = MANY) -> list[str]:
        """So many uuids, each of which is answered."""
        uuids = [uuid.uuid4().hex for _ in range(count)]
        for each in uuids:
            assert self.insist(request_body(esun_uuid=each)).status_code == 200
        return uuids

    def found(self, name: str) -> list[dict[str, Any]]:
        reply = self.get(f"/evidence/{name}")
        return reply.json()["evidence"] if reply.status_code == 200 else []

    def await_evidence(self, uuids: list[str]) -> None:
        for each in uuids:
            self.wait_until(lambda each=each: len(self.found(each)) == 1)

    def command(self, *words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "workers.evidence", *words],
            cwd=ROOT,
            env={**os.environ, "EVIDENCE": str(self.evidence)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with Told(tmp_path_factory.mktemp("told")) as service:
        service.start_logbook()
        service.start(concurrency=1)
        yield service


def test_who_asks_what_was_answered_is_told_all_of_it(told: Told) -> None:
    (name,) = told.ask(1)
    told.await_evidence([name])
    (found,) = told.found(name)
    assert (found["outcome"], found["answer"], found["source"]) == (
        *("answered", SAMPLE_ANSWER, "computed"),
    )
    assert found["bundle"] == told.line
    assert found["digest"] == Bundle.open(ROOT / "bundles" / "handwriting").digest
    assert found["arrived_ms"] <= found["begun_ms"] <= found["ended_ms"] <= found["answered_ms"]
    assert found["stopped"] in {"all", "settled"}
    assert int(found["worker"].rpartition(":")[2]) in [
        process.pid for process in told.worker_processes()
    ]
    (line,) = told.command("find", name).splitlines()
    assert json.loads(line)["image_sha256"] == found["image_sha256"]
    assert "missing: 0 that fronts had no room for, 0" in told.command("status")


def killed(told: Told) -> Callable[[], object]:
    told.logbook.kill()
    told.logbook.wait()
    return told.start_logbook


def frozen(told: Told) -> Callable[[], object]:
    told.logbook.send_signal(signal.SIGSTOP)
    return lambda: told.logbook.send_signal(signal.SIGCONT)


def on_a_full_disk(told: Told) -> Callable[[], object]:
    """As far as the logbook can tell: no file of it may grow."""
    _, most = told.logbook.rlimit(psutil.RLIMIT_FSIZE)
    told.logbook.rlimit(psutil.RLIMIT_FSIZE, (0, most))

    def mend() -> None:
        # What could not be written is closed, until the next try.
        told.wait_until(lambda: FILE not in map(_name, told.logbook.open_files()))
        told.logbook.rlimit(psutil.RLIMIT_FSIZE, (most, most))

    return mend


def _name(file: Any) -> str:
    return Path(file.path).name


@pytest.mark.parametrize("ails", [killed, frozen, on_a_full_disk])
def test_callers_are_answered_and_the_logbook_catches_up(
    told: Told, ails: Callable[[Told], Callable[[], object]]
) -> None:
    mend = ails(told)
    uuids = told.ask()
    mend()
    told.await_evidence(uuids)


def test_the_console_shows_what_was_replied(told: Told, page: Page) -> None:
    from playwright.sync_api import expect

    (name,) = told.ask(1)
    told.await_evidence([name])
    page.goto(f"{told.url}/operator")
    said = page.locator("#evidence .said")
    uuid, answer = page.locator("[name=uuid]"), page.locator("#evidence [name=answer]")
    uuid.fill("<b>nobody's</b>/../../overview?#")
    expect(answer).to_be_disabled()
    page.click("#evidence form button")
    expect(said).to_contain_text("Nothing is kept of this uuid")

    uuid.fill(name)
    page.click("#evidence form button")
    expect(said).to_have_text("1 reply")
    row = page.locator("#evidence tbody tr")
    for text in (SAMPLE_ANSWER, "computed", "settled", told.line):
        expect(row).to_contain_text(text)
    page.click("#evidence summary")
    expect(page.locator("#evidence pre")).to_contain_text(name)
    page.click("[data-language=zh-Hant]")
    expect(said).to_have_text("1 筆回覆")
    expect(row).to_contain_text("計算")

    # Whose uuid nobody knows: by the answer, since a moment ago, and those before them.
    told.await_evidence(told.ask(60))
    uuid.fill("")
    answer.fill(SAMPLE_ANSWER)
    ten_minutes_ago = time.localtime(time.time() - 600)
    page.fill("[name=since_ms]", time.strftime("%Y-%m-%dT%H:%M:%S", ten_minutes_ago))
    page.click("#evidence form button")
    expect(row).to_have_count(50)
    page.click("#evidence .more")
    expect(page.locator("#evidence tbody", has_text=name)).to_be_visible()
    page.fill("[name=since_ms]", "2099-01-01T00:00:00")
    page.click("#evidence form button")
    expect(said).to_have_text("沒有符合條件的回覆")


def test_two_logbooks_of_a_folder_take_turns(told: Told) -> None:
    first, second = told.logbook, told.spawn(logbook())
    told.await_evidence(told.ask(1))
    assert second.is_running()
    first.terminate()
    assert first.wait() == 0
    told.logbook = second
    told.await_evidence(told.ask(1))


def test_what_was_kept_is_read_again_and_forgotten(told: Told, tmp_path: Path) -> None:
    (name,) = told.ask(1)
    told.await_evidence([name])
    other = bundle_with(tmp_path / "bundle", version="99")
    *changed, summed = told.command("replay", "--bundle", str(other)).splitlines()
    assert changed == []
    assert summed == f"1 images read by {told.algorithm}/99, 0 differently"
    told.command("forget", name)
    (left,) = told.found(name)
    assert (left["answer"], left["image_sha256"]) == (None, None)
    assert left["forgotten_ms"]
    assert "\n0 images\n" in told.command("status")


def test_a_front_that_ends_hands_over_what_it_has(told: Told) -> None:
    uuids = told.ask(3)
    told.front.terminate()
    told.front.wait()
    found = told.command("find", "--answer", SAMPLE_ANSWER, "--most", "3").splitlines()
    assert {json.loads(line)["uuid"] for line in found} == set(uuids)


def test_without_a_folder_commands_say_what_to_do() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "workers.evidence", "status"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "EVIDENCE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "EVIDENCE=" in run.stderr
