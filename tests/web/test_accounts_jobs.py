"""Jobs and uploads of accounts: whose they are, who may order them, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.memory_redis import MemoryRedis
from tests.web.test_accounts import OPERATOR, Bank
from tests.web.test_app import ALGORITHM, kind
from web import listener
from workers.contract.account import Right, filed
from workers.contract.card import Card
from workers.contract.clock import wall_clock_ms
from workers.contract.contents import Contents, Found
from workers.contract.files import Files
from workers.contract.items import Items
from workers.contract.job import Job
from workers.contract.jobs import Jobs
from workers.contract.published import PublishedCards

JOB = {"input": {"image": "cGljdHVyZQ=="}}
MAY = frozenset({Right.JOBS})


class Office(Bank):
    """A bank that takes jobs, and what a worker does to them."""

    def __init__(self, memory: MemoryRedis, folder: Path, stack: ExitStack) -> None:
        super().__init__(memory, folder, stack)
        self.front = self.another_front(jobs=str(folder / "jobs"))
        files = Files(folder / "jobs")
        self._jobs = Jobs(files, 60_000, 1_000_000)
        self._contents, self._items = Contents(files, 1_000, 3), Items(files, 1_000, 3)

    def ask(self, key: str, method: str, path: str, sent: Any = None, **more: str) -> TestResponse:
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        headers = {"X-API-Key": key, **{name.replace("_", "-"): more[name] for name in more}}
        return self.front.app.test_client().open(
            path, method=method, data=data, headers=headers, buffered=True
        )

    def read(self, account: str, name: str, images: int) -> None:
        """Have so many images of a job read, one of them in vain."""
        job = self._job(account, name)
        self._contents.begin(job, "t")
        found = [Found(0, f"{n}", f"{n}", b"picture") for n in range(images + 1)]
        self._contents.add(job, 0, found, 0)
        self._contents.end(job, images + 1)
        for number in range(images + 1):
            item = self._items.claim(self._job(account, name), "t")
            assert item is not None
            self._items.finish(item, {"answer": "德"} if number else {"error": {"status": 422}})

    def _job(self, account: str, name: str) -> Job:
        job = self._jobs.find(filed(account, name))
        assert job is not None
        return job


@pytest.fixture
def office(
    memory: MemoryRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    monkeypatch.setattr(listener, "_POLL_S", 0.01)
    with ExitStack() as stack:
        yield Office(memory, tmp_path, stack)


def test_one_account_neither_sees_nor_ends_the_jobs_of_another(office: Office) -> None:
    mine, other = office.add("mine", rights=MAY), office.add("other", rights=MAY)
    ordered = office.ask(mine, "PUT", "/jobs/j", JOB)
    assert (ordered.status_code, ordered.headers["Location"]) == (202, "/jobs/j")
    assert (ordered.json["id"], ordered.json["result"]) == ("j", "/jobs/j/result")

    for method, path in (
        ("GET", "/jobs/j"),
        ("DELETE", "/jobs/j"),
        ("GET", "/jobs/j/result"),
        ("GET", "/jobs/j/items/0"),
        ("GET", "/jobs/mine%2Fj"),
    ):
        assert office.ask(other, method, path).status_code == 404
    assert office.ask(other, "GET", "/jobs").json["jobs"] == []
    assert [job["id"] for job in office.ask(mine, "GET", "/jobs").json["jobs"]] == ["j"]

    # The same id is another job there.
    another = {"input": {"image": "YW5vdGhlcg=="}}
    assert office.ask(other, "PUT", "/jobs/j", another).status_code == 202
    assert office.ask(other, "DELETE", "/jobs/j").status_code == 202
    assert office.ask(mine, "GET", "/jobs/j").json["state"] == "queued"


def test_the_same_idempotency_key_of_two_accounts_is_two_jobs(office: Office) -> None:
    for name in ("mine", "other"):
        key = office.add(name, rights=MAY)
        sent = {"input": {"image": "cGljdHVyZQ==", "id": name}}
        for _ in range(2):
            assert office.ask(key, "POST", "/jobs", sent, Idempotency_Key="k").status_code == 202
        assert len(office.ask(key, "GET", "/jobs").json["jobs"]) == 1


def test_an_upload_can_be_taken_by_its_account_alone(office: Office) -> None:
    mine, other = office.add("mine", rights=MAY), office.add("other", rights=MAY)
    ticket = office.ask(mine, "POST", "/uploads", {"bytes": 7}).json
    part = ticket["parts"][0]["url"]
    assert office.ask(other, "PUT", part, b"picture").status_code == 404
    assert office.ask(mine, "PUT", part, b"picture").status_code == 204
    sha256 = {"sha256": "49a7efcb8d4c6eb7eb71b9ed6f2aacd6f4ba1ee52d8d96b0fc5b54c1ef4f4f8a"}
    assert office.ask(other, "POST", ticket["completion"], sha256).status_code == 404

    job = {"input": {"upload": ticket["id"]}}
    assert kind(office.ask(other, "PUT", "/jobs/j", job)) == (404, "upload-unknown")
    assert kind(office.ask(mine, "PUT", "/jobs/j", job)) == (409, "upload-incomplete")
    assert office.ask(other, "DELETE", f"/uploads/{ticket['id']}").status_code == 404
    assert office.ask(mine, "DELETE", f"/uploads/{ticket['id']}").status_code == 204


def test_a_job_is_for_algorithms_that_its_account_may_ask(office: Office) -> None:
    key = office.add(rights=MAY, algorithms=frozenset({"sheet"}))
    assert kind(office.ask(key, "PUT", "/jobs/j", JOB)) == (403, "forbidden")
    assert kind(office.ask(key, "GET", "/jobs/j")) == (404, "job-unknown")


def test_what_was_read_of_a_job_is_charged_and_its_quota_begins_no_other(office: Office) -> None:
    card = Card.of(ALGORITHM).model_copy(update={"point_per_frame": 2, "unit_name": "point"})
    PublishedCards(office.world.memory.client).publish(card, b"")
    office.front = office.another_front(jobs=str(office.folder / "jobs"))
    key = office.add("bank", 0, 0, 6, rights=MAY)
    operator = office.file.add(OPERATOR, wall_clock_ms())
    assert office.ask(key, "PUT", "/jobs/j", JOB).status_code == 202
    office.read("bank", "j", 3)
    office.get("/usage", operator)
    used = office.used(operator)
    assert (used["units"], used["computed"], used["requests"]) == (6, 3, 3)

    refused = office.ask(key, "PUT", "/jobs/k", JOB)
    assert kind(refused) == (429, "quota-exceeded")
    assert int(refused.headers["Retry-After"]) > 0
    # Nor is anything else begun for this account.
    assert kind(office.post(key)) == (429, "quota-exceeded")
    assert office.ask(key, "GET", "/jobs/j").json["state"] == "succeeded"
