"""A service with accounts: what is charged, and what a key, Redis and the console outlive."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.service_process import SAMPLE, SAMPLE_ANSWER, Service, another_image, request_body
from workers.contract.account import Account, Limits, Right
from workers.contract.accounts import Accounts
from workers.contract.clock import wall_clock_ms

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Guarded:
    """The service, and the file of its accounts."""

    def __init__(self, service: Service, path: Path) -> None:
        self.service, self.path = service, path
        self.operator = self.add("operator", rights=frozenset({Right.OPERATE}))

    def add(self, name: str, *limits: float, **of: Any) -> str:
        with Accounts(self.path, 5_000, begin=True) as accounts:
            return accounts.add(Account(name, Limits(*limits), **of), wall_clock_ms())

    def post(self, key: str, body: dict[str, Any], **headers: str) -> requests.Response:
        return self.service.insist(body, Authorization=f"Bearer {key}", **headers)

    def used(self, account: str, what: str) -> float:
        headers = {"X-API-Key": self.operator, "Connection": "close"}
        told = requests.get(f"{self.service.url}/usage", headers=headers, timeout=5).json()
        return sum(row[what] for row in told["usage"] if row["account"] == account)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    path = folder / "accounts.db"
    settings = {"ACCOUNTS": str(path), "WEB_PROCESSES": "2", "JOBS": str(folder / "jobs")}
    with Service(folder, light=True, **settings) as service:
        guarded = Guarded(service, path)
        service.start(concurrency=1)
        yield guarded


def test_copies_and_resends_are_charged_once(guarded: Guarded) -> None:
    key = guarded.add("copies")
    body, another = request_body(), request_body(image=another_image(1))
    with ThreadPoolExecutor(50) as callers:
        replies = list(callers.map(lambda _: guarded.post(key, body, Prefer="wait=20"), range(200)))
    replies += [guarded.post(key, another, Prefer="wait=20") for _ in range(4)]
    assert {reply.status_code for reply in replies} == {200}
    guarded.service.wait_until(lambda: guarded.used("copies", "requests") == 204)
    assert guarded.used("copies", "units") == 2


def test_two_accounts_may_call_their_requests_the_same(guarded: Guarded) -> None:
    """Whichever was first, and each of them again."""
    keys = [guarded.add("first"), guarded.add("second")]
    bodies = [request_body(image=another_image(seed)) for seed in (2, 3)]
    for body in bodies:
        body["esun_uuid"] = "1"
    for expected in ("computed", "kept"):
        replies = [
            guarded.post(key, body, Prefer="wait=20")
            for key, body in zip(keys, bodies, strict=True)
        ]
        assert [reply.status_code for reply in replies] == [200, 200]
        assert {reply.headers["Punctual-Source"] for reply in replies} == {expected}


def test_a_key_is_rotated_under_load_and_both_let_in(guarded: Guarded) -> None:
    old = guarded.add("rotated")
    body = request_body()
    guarded.post(old, body, Prefer="wait=20")
    rotated, statuses = threading.Event(), []

    def keep_asking(_: int) -> None:
        for _ in range(500):
            statuses.append(guarded.post(old, body).status_code)
            if rotated.is_set():
                return

    with ThreadPoolExecutor(4) as callers:
        asking = callers.map(keep_asking, range(4))
        with Accounts(guarded.path, 5_000) as accounts:
            new = accounts.rotate("rotated", wall_clock_ms(), wall_clock_ms() + 600_000)
        replies = [guarded.post(key, body).status_code for _ in range(20) for key in (new, old)]
        rotated.set()
        list(asking)
    assert {*statuses, *replies} == {200}


def test_one_over_its_limit_is_refused_and_others_are_not(guarded: Guarded) -> None:
    greedy, modest = guarded.add("greedy", 0.01, 3), guarded.add("modest")
    statuses = [guarded.post(greedy, request_body(), Prefer="wait=20") for _ in range(6)]
    assert [reply.status_code for reply in statuses] == [200] * 3 + [429] * 3
    assert guarded.post(modest, request_body(), Prefer="wait=20").status_code == 200


def test_what_a_job_reads_is_charged_to_whoever_ordered_it(guarded: Guarded) -> None:
    key = guarded.add("jobs", rights=frozenset({Right.JOBS}))
    url, headers = f"{guarded.service.url}/jobs/j", {"X-API-Key": key}
    images = [{"image": another_image(seed)} for seed in range(50, 60)]
    assert requests.put(url, json={"input": images}, headers=headers, timeout=9).status_code == 202
    guarded.service.wait_until(
        lambda: requests.get(url, headers=headers, timeout=9).json()["state"] == "succeeded"
    )
    # By either of two fronts, and not by both.
    guarded.service.wait_until(lambda: guarded.used("jobs", "units") == 10)
    guarded.service.wait_until_idle()
    assert guarded.used("jobs", "units") == guarded.used("jobs", "computed") == 10


def test_keys_and_usage_outlive_a_redis_that_was_emptied_and_restarted(guarded: Guarded) -> None:
    service = guarded.service
    key = guarded.add("lasting", 0, 0, 2)
    assert guarded.post(key, request_body(), Prefer="wait=20").status_code == 200
    service.wait_until(lambda: guarded.used("lasting", "units") == 1)
    # Until both fronts have looked into the file: they do once a second.
    time.sleep(3)
    service.redis.client.flushall()
    service.redis.stop()
    service.redis.start()
    # Whether anybody has noticed by now or not: it is charged for what it asks from here on.
    body = request_body()
    service.wait_until(lambda: guarded.post(key, body, Prefer="wait=20").status_code == 200)
    assert guarded.post(key, request_body()).json()["type"] == "urn:punctual:problem:quota-exceeded"
    service.wait_until(lambda: guarded.used("lasting", "units") == 2)


def test_the_console_asks_for_a_key_and_works_with_it(guarded: Guarded, page: Page) -> None:
    from playwright.sync_api import expect

    page.goto(f"{guarded.service.url}/")
    page.fill("#key-field", "punctual_00000000_wrong")
    page.click("#key button")
    page.wait_for_selector("#state[data-kind=lost]")
    page.fill("#key-field", guarded.operator)
    page.click("#key button")
    page.wait_for_selector("#state[data-kind=ready]")
    image = base64.b64decode(SAMPLE["image"])
    page.set_input_files("#choose", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": image})
    expect(page.locator("#glyph")).to_have_text(SAMPLE_ANSWER)
    assert guarded.operator not in page.content()
    assert "$KEY" in page.inner_text("#curl")

    page.goto(f"{guarded.service.url}/operator")
    page.wait_for_selector("#state[data-kind=ready]")
    # Looked at every ten seconds.
    expect(page.locator("#usage tbody")).to_contain_text("operator", timeout=60_000)
