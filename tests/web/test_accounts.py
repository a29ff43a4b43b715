"""A front with accounts: who gets in, what that costs, and what the books say."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from werkzeug.test import TestResponse

from tests.memory_redis import MemoryRedis
from tests.web.test_app import (
    ALGORITHM,
    ANOTHER,
    FAILED,
    RESULT,
    Front,
    World,
    body,
    kind,
    source,
)
from web import listener
from web.glance import Call
from web.openapi.document import methods_of
from web.openapi.operation import operation_of
from workers.contract.account import Account, Limits, Right, name_and_secret
from workers.contract.accounts import Accounts
from workers.contract.card import Card
from workers.contract.clock import wall_clock_ms
from workers.contract.evidence import Batch, Evidence
from workers.contract.published import PublishedCards
from workers.scribe import Scribe

OPERATOR = Account("operator", rights=frozenset({Right.OPERATE}))
READER = Account("reader", rights=frozenset({Right.USAGE}))
OPEN = {"/", "/batch", "/operator", "/docs", "/redoc", "/openapi.json", "/livez", "/readyz"}


class Bank:
    """A world with a front that has accounts."""

    def __init__(self, memory: MemoryRedis, folder: Path, stack: ExitStack) -> None:
        self.folder, self.path = folder, folder / "accounts.db"
        self.file = stack.enter_context(Accounts(self.path, 1_000, begin=True))
        self.world = World(memory, stack)
        self.front = self.another_front()

    def another_front(self, **settings: Any) -> Front:
        front = self.world.another_front(accounts=str(self.path), **settings)
        front.app.extensions["books"].look()
        return front

    def add(self, name: str = "bank", *limits: float, **of: Any) -> str:
        return self.file.add(Account(name, Limits(*limits), **of), wall_clock_ms())

    def post(self, key: str, *args: Any, **fields: Any) -> TestResponse:
        return self.front.post(body(*args, **fields), Authorization=f"Bearer {key}")

    def get(self, path: str, key: str = "", **headers: str) -> TestResponse:
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        # As it happens every second.
        self.front.app.extensions["books"].look()
        return self.front.app.test_client().get(path, headers=headers, buffered=True)

    def answer(self, key: str, *args: Any) -> TestResponse:
        call = self.front.call(body(*args), Authorization=f"Bearer {key}")
        return self.world.answer(call)

    def used(self, key: str, account: str = "bank") -> dict[str, Any]:
        (row,) = (row for row in self.get("/usage", key).json["usage"] if row["account"] == account)
        return dict(row)


@pytest.fixture
def bank(memory: MemoryRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    monkeypatch.setattr(listener, "_POLL_S", 0.01)
    with ExitStack() as stack:
        yield Bank(memory, tmp_path, stack)


def test_a_key_lets_in_as_soon_as_it_is_made(bank: Bank) -> None:
    key = bank.add()
    assert source(bank.answer(key)) == "computed"
    assert source(bank.front.post(body(), X_API_Key=key)) == "kept"
    assert source(bank.front.post(body(), Authorization=f"bearer  {key} ")) == "kept"


def test_without_a_valid_key_nothing_is_begun(bank: Bank) -> None:
    key = bank.add()
    for headers in (
        {},
        {"Authorization": f"Bearer {key[:-1]}"},
        {"Authorization": f"Basic {key}"},
        {"X-API-Key": "德".encode().decode("latin-1")},
        {"X-API-Key": "punctual__"},
    ):
        reply = bank.front.post(body(), **headers)
        assert kind(reply) == (401, "unauthorized")
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="punctual"'
    reply = bank.front.app.test_client().post(
        f"/inference?key={key}&X-API-Key={key}", data=json.dumps(body()), buffered=True
    )
    assert kind(reply) == (401, "unauthorized")
    assert not bank.world.memory.client.keys("*request:*")


def test_all_that_is_served_needs_a_key_but_pages_documents_and_health(bank: Bank) -> None:
    front = bank.another_front(jobs=str(bank.folder / "jobs"))
    client = front.app.test_client()
    opened = set()
    for rule in front.app.url_map.iter_rules():
        if rule.endpoint == "pages.static":
            continue
        path = re.sub("<int:[^>]+>", "1", rule.rule)
        path = re.sub("<[^>]+>", "x", path)
        for method in methods_of(rule):
            reply = client.open(path, method=method, buffered=True)
            if reply.status_code == 401:
                assert kind(reply) == (401, "unauthorized")
            else:
                opened.add(path)
                assert operation_of(front.app.view_functions[rule.endpoint]).is_open
    assert opened == OPEN
    assert client.get("/readyz").json == {"status": "ready"}


def test_a_right_that_the_account_lacks_is_told(bank: Bank) -> None:
    key, other = bank.add(algorithms=frozenset({"sheet"})), bank.add("other")
    assert kind(bank.post(key)) == (403, "forbidden")
    for path in ("/overview", "/metrics", "/usage"):
        assert kind(bank.get(path, other)) == (403, "forbidden")
    assert bank.get("/algorithms", other).status_code == 200
    operator = bank.file.add(OPERATOR, wall_clock_ms())
    for path in ("/overview", "/metrics", "/usage", "/algorithms"):
        assert bank.get(path, operator).status_code == 200


def test_who_may_use_no_jobs_waits_for_the_answer_instead(bank: Bank) -> None:
    bank.front = bank.another_front(jobs=str(bank.folder / "jobs"))
    key, other = bank.add(), bank.add("other", rights=frozenset({Right.JOBS}))
    assert kind(bank.get("/jobs", key)) == (403, "forbidden")
    call = bank.front.call(body(), Authorization=f"Bearer {key}", Prefer="respond-async")
    assert source(bank.world.answer(call)) == "computed"
    reply = bank.front.post(body("b"), Authorization=f"Bearer {other}", Prefer="respond-async")
    assert reply.status_code == 202
    assert bank.get("/jobs", other).status_code == 200


def test_guessing_ends_and_who_was_right_before_goes_on(bank: Bank) -> None:
    key, another = bank.add(), bank.add("another")
    bank.answer(key)
    wrong = {kind(bank.post(f"punctual_{number:08x}_x")) for number in range(20)}
    assert wrong == {(401, "unauthorized")}
    limited = bank.post(f"{another}x")
    assert kind(limited) == (429, "rate-limited")
    assert 1 <= int(limited.headers["Retry-After"]) <= 3
    # Whether a key is one is not told any more either, but for one that has proved to be.
    assert kind(bank.post(another)) == (429, "rate-limited")
    assert source(bank.post(key)) == "kept"
    assert kind(bank.post(f"{key}x")) == (401, "unauthorized")
    # Somebody else's wrong keys are nobody else's matter.
    reply = bank.front.post(body(), Authorization=f"Bearer {another}", **{"X-Real-IP": "192.0.2.1"})
    assert source(reply) == "kept"


def test_a_uuid_is_its_accounts_own(bank: Bank) -> None:
    """At the door, too, where a new request may be refused and a known one is not."""
    key, other = bank.add(), bank.add("other")
    bank.answer(key)
    assert kind(bank.post(key, "a-uuid", ANOTHER)) == (422, "uuid-conflict")
    call = bank.front.call(body("a-uuid", ANOTHER), Authorization=f"Bearer {other}")
    assert bank.world.answer(call, RESULT._replace(text="得")).json["answer"] == "得"
    assert bank.post(key, "a-uuid").json["answer"] == "德"

    calls = [Call(None, "a-uuid", name_and_secret(each)[0]) for each in (key, other)]
    strangers = [Call(None, "a-uuid"), Call(None, "b-uuid", calls[0].key)]
    known = bank.front.app.extensions["acquaintance"].known([*calls, *strangers])
    assert known == set(calls)


def test_the_rate_is_told_and_kept(bank: Bank) -> None:
    key = bank.add("bank", 0.01, 2)
    first = bank.answer(key)
    assert first.headers["RateLimit-Policy"] == '"rate";q=2;w=200'
    assert re.fullmatch('"rate";r=1;t=(99|100)', first.headers["RateLimit"])
    assert source(bank.post(key, "b")) == "kept"
    limited = bank.post(key, "c")
    assert kind(limited) == (429, "rate-limited")
    assert limited.json["esun_uuid"] == "c"
    assert 90 <= int(limited.headers["Retry-After"]) <= 100
    assert limited.headers["RateLimit"].startswith('"rate";r=0;t=')
    # A re-send is no new request.
    assert source(bank.post(key, "b")) == "kept"


def test_the_quota_is_in_the_units_of_the_card(bank: Bank) -> None:
    card = Card.of(ALGORITHM).model_copy(update={"point_per_frame": 2.5, "unit_name": "point"})
    PublishedCards(bank.world.memory.client).publish(card, b"")
    bank.front = bank.another_front()
    key = bank.add("bank", 0, 0, 6)
    assert re.fullmatch('"quota";r=3;t=[0-9]+', bank.answer(key).headers["RateLimit"])
    assert source(bank.post(key, "b")) == "kept"
    exceeded = bank.post(key, "c")
    assert kind(exceeded) == (429, "quota-exceeded")
    policy = re.fullmatch('"quota";q=6;w=([0-9]+)', exceeded.headers["RateLimit-Policy"])
    assert policy
    assert 0 < int(exceeded.headers["Retry-After"]) <= int(policy[1])
    assert source(bank.post(key, "b")) == "kept"


def test_who_has_no_limits_is_told_of_none(bank: Bank) -> None:
    assert "RateLimit" not in bank.answer(bank.add()).headers


def test_usage_tells_what_came_of_requests(bank: Bank) -> None:
    key = bank.file.add(READER, wall_clock_ms())
    bank.answer(key)
    bank.post(key)
    bank.post(key, "b")
    bank.world.answer(bank.front.call(body("f", ANOTHER), Authorization=f"Bearer {key}"), FAILED)
    bank.front.post(b"", Authorization=f"Bearer {key}")
    assert bank.used(key, "reader") == {
        "account": "reader",
        "algorithm": ALGORITHM,
        "requests": 5,
        "units": 3.0,
        "computed": 2,
        "joined": 0,
        "kept": 2,
        "refused": 2,
        "members": 5,
        "compute_seconds": pytest.approx(0.0182),
    }


def test_an_account_sees_its_own_usage_and_the_operator_all(bank: Bank) -> None:
    key, reader = bank.add(), bank.file.add(READER, wall_clock_ms())
    operator = bank.file.add(OPERATOR, wall_clock_ms())
    bank.answer(key)
    assert bank.get("/usage", reader).json["usage"] == []
    assert bank.used(operator)["requests"] == 1
    told = bank.get("/usage?month=2020-02", operator).json
    assert (told["month"], told["usage"]) == ("2020-02", [])
    assert told["costs"]["machine"] == round(29 * 24 * 0.2, 2)
    assert kind(bank.get("/usage?month=2020-13", operator)) == (422, "field-invalid")
    assert kind(bank.get("/usage?month=0000-01", operator)) == (422, "field-invalid")

    reply = bank.get("/usage", operator, Accept="text/csv")
    assert reply.content_type == "text/csv; charset=utf-8"
    head, row = reply.text.splitlines()
    assert head.startswith("account,algorithm,requests,units,computed,")
    assert row.startswith("bank,handwriting,1,1.0,1,")


def test_what_it_would_cost_elsewhere_is_told(bank: Bank) -> None:
    bank.front = bank.another_front(price_million_calls=1e6, price_million_wakes=2e6)
    operator, key = bank.file.add(OPERATOR, wall_clock_ms()), bank.add()
    bank.answer(key)
    bank.post(key)
    costs = bank.get("/usage", operator).json["costs"]
    assert (costs["calls"], costs["wakes"]) == (2, 4)
    assert costs["serverless"] == pytest.approx(6 + costs["seconds"])


def test_an_account_sees_the_evidence_of_its_own(bank: Bank) -> None:
    folder = bank.folder / "evidence"
    bank.front = bank.another_front(evidence=str(folder))
    told = Evidence("a-uuid", None, 5, 6, 200, "answered", "host:1", account="bank")
    with Scribe(folder) as scribe:
        scribe.append([Batch("run", 0, 0, (told,))], 0, keeps_images=False)
    key, other = bank.add(), bank.add("other")
    operator = bank.file.add(OPERATOR, wall_clock_ms())
    assert bank.get("/evidence/a-uuid", key).json["evidence"][0]["account"] == "bank"
    assert bank.get("/evidence/a-uuid", operator).status_code == 200
    assert kind(bank.get("/evidence/a-uuid", other)) == (404, "evidence-unknown")

    def found(question: str, asks: str) -> list[str]:
        return [each["uuid"] for each in bank.get(f"/evidence{question}", asks).json["evidence"]]

    for question in ("", "?account=bank"):
        assert found(question, key) == found(question, operator) == ["a-uuid"]
    assert found("", other) == found("?account=other", operator) == []
    assert kind(bank.get("/evidence?account=bank", other)) == (403, "forbidden")
    assert kind(bank.get("/evidence")) == (401, "unauthorized")


def test_keys_and_usage_outlive_redis_and_the_front(bank: Bank) -> None:
    key = bank.add("bank", 0, 0, 2, rights=frozenset({Right.USAGE}))
    bank.answer(key)
    bank.front.app.extensions["books"].look()
    bank.world.memory.client.flushall()
    bank.world.work_at(100)

    bank.front = bank.another_front()
    assert source(bank.answer(key, "b")) == "computed"
    assert kind(bank.post(key, "c")) == (429, "quota-exceeded")
    assert bank.used(key)["units"] == 2


def test_rotated_keys_both_let_in_and_a_revoked_one_does_not(bank: Bank) -> None:
    old = bank.add()
    bank.answer(old)
    new = bank.file.rotate("bank", wall_clock_ms(), wall_clock_ms() + 60_000)
    assert [bank.post(key).status_code for key in (old, new, old)] == [200] * 3
    bank.file.revoke("bank", old.split("_")[1])
    bank.front.app.extensions["books"].look()
    assert [bank.post(key).status_code for key in (old, new)] == [401, 200]


def test_a_revoked_key_ends_though_what_was_used_cannot_be_written(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bank.add()
    bank.answer(key)
    monkeypatch.setattr(Accounts, "use", Mock(side_effect=sqlite3.OperationalError("disk is full")))
    bank.file.revoke("bank")
    bank.front.app.extensions["books"].look()
    assert bank.post(key).status_code == 401


def test_without_its_file_nobody_new_gets_in_and_usage_waits(bank: Bank) -> None:
    key = bank.add(rights=frozenset({Right.USAGE}))
    bank.answer(key)
    away = bank.path.with_name("away")
    bank.path.rename(away)
    assert source(bank.post(key)) == "kept"
    assert kind(bank.post("punctual_0123abcd_x")) == (503, "accounts-away")
    assert kind(bank.get("/usage", key)) == (503, "accounts-away")
    away.rename(bank.path)
    assert bank.used(key)["requests"] == 2


def test_no_key_is_logged(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    key = bank.add()
    with caplog.at_level("DEBUG"):
        bank.answer(key)
        bank.post(f"{key}x")
    assert caplog.text
    assert key.split("_", 2)[2] not in caplog.text
