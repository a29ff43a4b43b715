"""What a front tells the logbook, and what it lets look up there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.memory_redis import MemoryRedis
from tests.web.test_app import ANOTHER, IMAGE, RESULT, SHORT, UNREADABLE, Front, World, body, kind
from web import evidence as page
from web import listener, witness
from web.glance import Glance
from web.problems import LineFull
from web.witness import Witness
from workers.contract.evidence import Batch, Evidence
from workers.contract.logbook import FILE
from workers.contract.mailbox import Mailbox
from workers.contract.result import Stop
from workers.scribe import Scribe

TOLD = RESULT._replace(
    stopped=Stop.ALL, worker="host:2", digest="ab" * 32, ended_ms=1_700_000_000_500
)
SHA256 = hashlib.sha256(IMAGE).hexdigest()


class Desk:
    """A world whose front tells a logbook, and the logbook in a test's hand."""

    def __init__(self, memory: MemoryRedis, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.mailbox = stack.enter_context(Mailbox(folder))
        self.world = World(memory, stack)
        self.front = self.another_front()

    def another_front(self, **settings: Any) -> Front:
        front = self.world.another_front(evidence=str(self.folder), **settings)
        self._stack.callback(front.app.extensions["witness"]._slot.close)
        return front

    def batches(self, front: Front | None = None) -> list[Batch]:
        """What was told since."""
        (front or self.front).app.extensions["witness"].hand_over()
        return [Batch.from_bytes(data) for data in self.mailbox.take(0)]

    def told(self, front: Front | None = None) -> list[Evidence]:
        return [evidence for batch in self.batches(front) for evidence in batch.evidence]

    def write(self, *evidence: Evidence) -> None:
        with Scribe(self.folder) as scribe:
            scribe.append([Batch("run", 0, 0, evidence)], 0, keeps_images=False)


@pytest.fixture
def desk(memory: MemoryRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(listener, "_POLL_S", 0.01)
    with ExitStack() as stack:
        yield Desk(memory, tmp_path, stack)


def metric(front: Front, name: str) -> float:
    (line,) = (
        line for line in front.get("/metrics").text.splitlines() if line.startswith(f"{name} ")
    )
    return float(line.split()[1])


def test_of_every_reply_there_is_evidence(desk: Desk) -> None:
    desk.world.answer(desk.front.call(body()), TOLD)
    desk.front.post(body())
    desk.world.answer(desk.front.call(body("unread", ANOTHER)), UNREADABLE)
    desk.front.post(body("late", b"a third"), Prefer=SHORT)
    desk.front.post(body(image=ANOTHER))
    desk.front.post(b"")
    desk.front.app.test_client().post("/inference/nowhere", buffered=True)
    told = desk.told()

    assert [(each.uuid, each.status, each.outcome, each.source) for each in told] == [
        ("a-uuid", 200, "answered", "computed"),
        ("a-uuid", 200, "answered", "kept"),
        ("unread", 422, "image-unreadable", "computed"),
        ("late", 504, "answer-late", None),
        ("a-uuid", 422, "uuid-conflict", None),
        (None, 400, "not-json", None),
        (None, 404, "algorithm-unknown", None),
    ]
    first, kept, unread, late, *_ = told
    assert first.arrived_ms <= first.answered_ms
    assert (first.algorithm, first.answer, first.image_sha256) == ("handwriting", "德", SHA256)
    assert (first.bundle, first.digest, first.worker) == ("handwriting/1", "ab" * 32, "host:2")
    assert (first.members, first.of_members, first.stopped) == (5, 5, "all")
    assert (first.queued_ms, first.begun_ms, first.ended_ms) == (
        *(1_700_000_000_484, 1_700_000_000_491, 1_700_000_000_500),
    )
    assert kept._replace(arrived_ms=0, answered_ms=0) == first._replace(
        arrived_ms=0, answered_ms=0, source="kept"
    )
    assert (unread.answer, unread.bundle) == (None, "handwriting/1")
    assert (late.answer, late.bundle, late.image_sha256 is None) == (None, None, False)
    assert told[-1].algorithm is None
    assert metric(desk.front, "punctual_evidence_total") == 7


def test_a_service_without_a_logbook_notes_nothing(desk: Desk) -> None:
    desk.world.front.post(b"")
    assert desk.told(desk.world.front) == []
    for path in ("/evidence/a-uuid", "/evidence"):
        assert kind(desk.world.front.get(path)) == (404, "evidence-unknown")


@pytest.mark.parametrize(("days", "images"), [(0, []), (1, [IMAGE, b"late", b"failed"])])
def test_images_go_along_once_where_they_are_kept(
    desk: Desk, days: int, images: list[bytes]
) -> None:
    front = desk.another_front(evidence_image_days=days)
    desk.world.answer(front.call(body()), TOLD)
    front.post(body())
    front.post(body("late", b"late"), Prefer=SHORT)
    desk.world.take()
    desk.world.die(for_good=True)
    call = front.call(body("failed", b"failed"))
    desk.world.take()
    desk.world.die(for_good=True)
    assert call.result(timeout=10).status_code == 500
    front.post(body(image=ANOTHER))
    sent = [kept.image for batch in desk.batches(front) for kept in batch.images]
    assert sent == images


def calls(*uuids: str) -> list[Glance]:
    head = b"POST /inference HTTP/1.1\r\n\r\n"
    return [Glance(Mock(), head + f'{{"esun_uuid": "{uuid}"}}'.encode()) for uuid in uuids]


def test_who_is_refused_at_the_door_is_told_of_too(desk: Desk) -> None:
    refused = calls("one", "two", "no\x1bname", "x" * 129)
    desk.front.app.extensions["turnstile"].account(LineFull(1), refused)
    told = desk.told()
    assert [each.uuid for each in told] == ["one", "two", None, None]
    assert {(each.status, each.outcome, each.algorithm) for each in told} == {
        (503, "line-full", "handwriting")
    }


def test_what_finds_no_room_is_counted_and_refusals_have_the_half(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a logbook that takes nothing at first."""
    monkeypatch.setattr(witness, "_MOST", 4)
    account = desk.front.app.extensions["turnstile"].account
    account(LineFull(1), calls("one"))
    account(LineFull(1), calls("two", "three"))
    for _ in range(5):
        assert kind(desk.front.post(b"")) == (400, "not-json")
    assert metric(desk.front, 'punctual_evidence_lost_total{of="reply"}') == 4
    (batch,) = desk.batches()
    assert [each.outcome for each in batch.evidence] == ["line-full", *["not-json"] * 3]
    assert (batch.first, batch.dropped) == (0, 4)
    desk.front.post(b"")
    (batch,) = desk.batches()
    assert (batch.first, batch.dropped) == (4, 4)


def test_images_have_an_end_of_their_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_MOST_IMAGE_BYTES", 10)
    teller: Witness = desk.front.app.extensions["witness"]
    for image in (b"1234567", b"1234567", b"123"):
        teller.note(Evidence(None, None, 0, 0, 200, "answered", "host:1"), image)
    assert metric(desk.front, 'punctual_evidence_lost_total{of="image"}') == 1
    (batch,) = desk.batches()
    assert [(kept.number, kept.image) for kept in batch.images] == [(0, b"1234567"), (2, b"123")]


def test_what_is_known_of_a_uuid_is_told(desk: Desk) -> None:
    told = Evidence("a-uuid", None, 5, 6, 200, "answered", "host:1", answer="德")
    desk.write(told, told._replace(arrived_ms=3, answer=None), told._replace(uuid="other"))
    reply = desk.front.get("/evidence/a-uuid")
    assert reply.status_code == 200
    assert reply.json["esun_uuid"] == "a-uuid"
    later = {**told._asdict()}
    assert reply.json["evidence"] == [{**later, "arrived_ms": 3, "answer": None}, later]
    assert kind(desk.front.get("/evidence/nobody")) == (404, "evidence-unknown")


def test_replies_are_found_by_answer_account_and_time(desk: Desk) -> None:
    """Page by page, the latest first."""
    told = Evidence("1", None, 1, 6, 200, "answered", "host:1", answer="德", account="bank")
    others = (
        told._replace(uuid="2", arrived_ms=2, answer="得"),
        told._replace(uuid="3", arrived_ms=3, account=None),
        told._replace(uuid=None, arrived_ms=3, answer=None, account=None),
    )
    desk.write(told, *others)

    def found(question: str) -> tuple[list[str | None], str | None]:
        reply = desk.front.get(f"/evidence{question}")
        assert reply.status_code == 200, reply.text
        return [each["uuid"] for each in reply.json["evidence"]], reply.json["next"]

    assert found("") == ([None, "3", "2", "1"], None)
    assert found("?answer=%E5%BE%B7") == (["3", "1"], None)
    assert found("?account=bank") == (["2", "1"], None)
    assert found("?since_ms=2&until_ms=3") == (["2"], None)
    assert found("?answer=no' OR '1'='1") == ([], None)
    page, cursor = found("?limit=1")
    for _ in range(3):
        more, cursor = found(f"?limit=1&cursor={cursor}")
        page += more
    assert (page, cursor) == ([None, "3", "2", "1"], None)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("uuid=a-uuid", "uuid: not one of answer, account, "),
        ("since_ms=yesterday", "since_ms: not a number"),
        ("limit=-1", "limit: not a number"),
        ("cursor=57", "cursor: none of this search"),
        ("cursor=1.2;DROP TABLE evidence", "cursor: none of this search"),
    ],
)
def test_a_question_that_is_not_understood_finds_nothing(
    desk: Desk, question: str, said: str
) -> None:
    """Rather than more than was asked for."""
    desk.write(Evidence("a-uuid", None, 5, 6, 200, "answered", "host:1"))
    reply = desk.front.get(f"/evidence?{question}")
    assert kind(reply) == (422, "field-invalid")
    assert reply.json["detail"].startswith(said)


@pytest.mark.parametrize(
    "uuid",
    ["../../etc/passwd", "..%2f..%2fevidence.db", "a//b", "' OR '1'='1", "%", "德", "a?b", "/x"],
)
def test_a_uuid_is_a_name_and_nothing_else(desk: Desk, uuid: str) -> None:
    """Not a path, not a query, not a header."""
    desk.write(Evidence(uuid, None, 5, 6, 200, "answered", "host:1"))
    client = desk.front.app.test_client()
    reply = client.get("/evidence/" + "".join(f"%{byte:02x}" for byte in uuid.encode()))
    assert reply.status_code == 200, reply.text
    assert [each["uuid"] for each in reply.json["evidence"]] == [uuid]


def test_a_line_break_in_a_uuid_gets_into_no_header(desk: Desk) -> None:
    desk.write()
    reply = desk.front.app.test_client().get("/evidence/a%0d%0aSet-Cookie:%20x=1")
    assert kind(reply) == (404, "evidence-unknown")
    assert set(reply.headers.keys()) == {"Content-Type", "Content-Length"}


def test_a_logbook_that_cannot_be_read_is_a_503(desk: Desk) -> None:
    for path in ("/evidence/a-uuid", "/evidence"):
        assert kind(desk.front.get(path)) == (503, "evidence-away")
    (desk.folder / FILE).write_bytes(b"this is no database" * 100)
    reply = desk.front.get("/evidence/a-uuid")
    assert kind(reply) == (503, "evidence-away")
    assert reply.headers["Retry-After"] == "1"


def test_a_disk_that_hangs_holds_up_nobody_for_long(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also whoever asks while the first look still hangs."""
    thaws, looks = threading.Event(), threading.Event()

    def hang(*_: Any) -> list[Evidence]:
        looks.set()
        thaws.wait(10)
        return []

    monkeypatch.setattr(page, "_look", hang)
    monkeypatch.setattr(page, "_WITHIN_S", 0.05)
    try:
        for _ in range(3):
            assert kind(desk.front.get("/evidence/a-uuid")) == (503, "evidence-away")
        assert looks.is_set()
    finally:
        thaws.set()


@pytest.mark.parametrize("uuid", ["a\r\nSet-Cookie: x=1", "a\nb", "a\x00b", "\u2028"])
def test_a_uuid_that_cannot_be_written_is_no_uuid(desk: Desk, uuid: str) -> None:
    reply = desk.front.post(body(uuid))
    assert kind(reply) == (422, "field-invalid")
    assert set(reply.headers.keys()) == {"Content-Type", "Content-Length"}
    assert [(each.uuid, each.outcome) for each in desk.told()] == [(None, "field-invalid")]
