"""The logbook and who writes it, in files of the test's own."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from workers import logbook as program
from workers.contract.evidence import Batch, Evidence, Kept
from workers.contract.logbook import FILE, Logbook, image_file
from workers.contract.mailbox import Mailbox, Slot
from workers.contract.result import Outcome, Result, Stop
from workers.contract.settings import EvidenceSettings
from workers.logbook import Clerk
from workers.scribe import OtherVersion, Scribe

NOW_MS, DAY_MS = 1_700_000_000_000, 86_400_000
IMAGE = b"some picture's bytes"
SHA256 = hashlib.sha256(IMAGE).hexdigest()
RESULT = Result(
    *(Outcome.ANSWERED, "德", "handwriting/3", 2, 5, True, 7, 9_100, 1_700_000_000),
    *(Stop.SETTLED, "host:2", "ab" * 32, NOW_MS - 5),
)


def reply(uuid: str | None = "a-uuid", arrived_ms: int = NOW_MS, **fields: Any) -> Evidence:
    whole = Evidence(
        *(uuid, "handwriting", arrived_ms, arrived_ms + 20, 200, "answered", "host:1"),
        image_sha256=SHA256,
        source="computed",
    ).read_as(RESULT)
    return whole._replace(**fields)


def batch(*evidence: Evidence, first: int = 0, dropped: int = 0, run: str = "run") -> Batch:
    return Batch(run, first, dropped, evidence or (reply(),))


class Folder:
    """Where a test's logbook lies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *batches: Batch, now_ms: int = NOW_MS, images: bool = True) -> None:
        with Scribe(self.path) as scribe:
            scribe.append(batches, now_ms, keeps_images=images)

    def of(self, uuid: str) -> list[Evidence]:
        with Logbook(self.path, 1_000) as logbook:
            return logbook.of(uuid, 100)

    def search(self, most: int = 100, **asked: Any) -> list[str | None]:
        with Logbook(self.path, 1_000) as logbook:
            return [found.evidence.uuid for found in logbook.search(most, **asked)]

    def summary(self) -> Any:
        with Logbook(self.path, 1_000) as logbook:
            return logbook.summary()

    @property
    def image(self) -> Path:
        return image_file(self.path, bytes.fromhex(SHA256))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "evidence")


def test_what_was_replied_is_found_as_it_was(folder: Folder) -> None:
    told = reply(alternatives=(("得", 0.01), ("很", 0.001)), confidence=0.98)
    folder.append(batch(told))
    assert folder.of("a-uuid") == [told]
    assert (told.queued_ms, told.begun_ms, told.ended_ms) == (
        *(NOW_MS - 5 - 9 - 7, NOW_MS - 5 - 9, NOW_MS - 5),
    )
    assert (told.answer, told.stopped, told.members, told.of_members) == ("德", "settled", 2, 5)
    assert (told.bundle, told.digest, told.worker) == ("handwriting/3", "ab" * 32, "host:2")


def test_of_what_could_not_be_read_there_is_no_answer() -> None:
    unread = Result(Outcome.UNREADABLE, "no image", "handwriting/3", 0, 5, True, 7, 9, 1)
    told = Evidence("u", None, 0, 1, 422, "image-unreadable", "host:1").read_as(unread)
    assert (told.answer, told.bundle, told.ended_ms) == (None, "handwriting/3", None)


def test_replies_are_found_by_whatever_is_known_of_them(folder: Folder) -> None:
    folder.append(
        batch(
            reply("one", NOW_MS, answer="德"),
            reply("two", NOW_MS + 1, answer="得", account="bank"),
            reply("three", NOW_MS + 2, answer="德", account="bank"),
            reply(None, NOW_MS + 3, answer=None),
        )
    )
    assert folder.search() == [None, "three", "two", "one"]
    assert folder.search(2) == [None, "three"]
    assert folder.search(uuid="two") == ["two"]
    assert folder.search(answer="德") == ["three", "one"]
    assert folder.search(account="bank") == ["three", "two"]
    assert folder.search(answer="德", account="bank", since_ms=NOW_MS + 2) == ["three"]
    assert folder.search(since_ms=NOW_MS + 1, until_ms=NOW_MS + 2) == ["two"]
    assert folder.search(uuid="' OR 1 --") == []


def test_a_search_goes_on_where_it_ended(folder: Folder) -> None:
    """Of replies that arrived within one millisecond too, and while more come."""
    folder.append(batch(*(reply(str(number), NOW_MS + number // 2) for number in range(5))))
    told: list[str | None] = []
    place = None
    for size in (1, 3, 3):
        with Logbook(folder.path, 1_000) as logbook:
            page = list(logbook.search(size, before=place))
        told += [found.evidence.uuid for found in page]
        place = page[-1].position
        folder.append(batch(reply("later", NOW_MS + 9), run=f"run {size} {len(told)}"))
    assert told == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("asked", ["uuid", "answer", "account", "arrived_ms"])
def test_nothing_is_looked_through_to_find_it(folder: Folder, asked: str) -> None:
    folder.append(batch())
    with closing(sqlite3.connect(folder.path / FILE)) as db:
        plan = db.execute(
            f"EXPLAIN QUERY PLAN SELECT * FROM evidence WHERE {asked} = ? "
            "ORDER BY arrived_ms DESC LIMIT 100",
            ["德"],
        ).fetchall()
    (step,) = (row[3] for row in plan)
    assert f"({asked}=?" in step


def test_a_front_of_another_release_is_understood_as_far_as_both_know() -> None:
    line, _, rest = batch().to_bytes().partition(b"\n")
    head = json.loads(line)
    head["columns"][head["columns"].index("worker")] = "mood"
    (told,) = Batch.from_bytes(json.dumps(head).encode() + b"\n" + rest).evidence
    assert (told.uuid, told.answer, told.worker) == ("a-uuid", "德", None)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]\n", b"{", b'{"columns":1}', b"\xff\n"])
def test_what_is_no_batch_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"evidence|JSON|column|codec|decode"):
        Batch.from_bytes(data)


def test_half_a_character_is_no_reason_to_lose_the_others(folder: Folder) -> None:
    sent = batch(reply(answer="\ud800"), reply("other"))
    folder.append(Batch.from_bytes(sent.to_bytes()))
    assert [evidence.answer for evidence in folder.of("a-uuid")] == ["?"]
    assert len(folder.of("other")) == 1


def test_what_is_missing_is_counted(folder: Folder) -> None:
    folder.append(batch(reply(), reply()), batch(first=5, dropped=3))
    folder.append(batch(first=0, run="another"), batch(first=6, dropped=4))
    losses = folder.summary().losses
    assert (losses.missed, losses.dropped) == (3, 4)


def test_what_comes_twice_is_written_once(folder: Folder) -> None:
    folder.append(batch(), batch())
    assert folder.summary().replies == 1


def test_images_are_kept_once_where_they_are_to_be(folder: Folder) -> None:
    sent = batch(reply(), reply("other"))._replace(images=(Kept(0, IMAGE), Kept(1, IMAGE)))
    folder.append(sent, images=False)
    assert not folder.image.exists()
    folder.append(sent._replace(first=2))
    assert folder.image.read_bytes() == IMAGE
    assert folder.image.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    with Logbook(folder.path, 1_000) as logbook:
        assert [(path, told.uuid) for path, told in logbook.kept_images()] == [
            (folder.image, "a-uuid")
        ]


def test_an_image_that_was_late_belongs_to_the_answer_that_came(folder: Folder) -> None:
    late = reply(answer=None, outcome="answer-late", status=504)
    folder.append(batch(late, reply())._replace(images=(Kept(0, IMAGE),)))
    with Logbook(folder.path, 1_000) as logbook:
        assert [told.answer for _, told in logbook.kept_images()] == ["德"]


def test_what_is_forgotten_is_nowhere_in_the_files(folder: Folder) -> None:
    """But for its name, and that it was forgotten; others' stays."""
    secret = "字" * 40
    told = reply(answer=secret, alternatives=((secret, 0.1),))
    folder.append(batch(told, told, reply("other"))._replace(images=(Kept(0, IMAGE),)))
    with Scribe(folder.path) as scribe:
        assert scribe.forget("a-uuid", NOW_MS + 7) == 2
        assert scribe.forget("nobody's", NOW_MS) == 0
    for left in folder.of("a-uuid"):
        assert (left.answer, left.alternatives, left.image_sha256) == (None, None, None)
        assert (left.forgotten_ms, left.outcome, left.bundle) == (
            *(NOW_MS + 7, "answered", "handwriting/3"),
        )
    assert folder.of("other")[0].answer == "德"
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert {path.name for path in files} <= {FILE, f"{FILE}-wal", f"{FILE}-shm"}
    for path in files:
        assert secret.encode() not in path.read_bytes()
    assert folder.summary().images == 0


def test_what_is_over_is_removed_and_images_sooner(folder: Folder) -> None:
    folder.append(batch(reply("old"), reply("new", NOW_MS + DAY_MS)))
    folder.append(batch(first=2)._replace(images=(Kept(0, IMAGE),)))
    with Scribe(folder.path) as scribe:
        assert not scribe.remove_older(NOW_MS, NOW_MS)
        assert folder.image.exists()
        assert not scribe.remove_older(NOW_MS, NOW_MS + 1)
        assert not folder.image.exists()
        assert folder.search(uuid="old") == ["old"]
        scribe.remove_older(NOW_MS + 1, NOW_MS + 1)
    assert folder.search() == ["new"]


def test_much_is_removed_bit_by_bit(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.scribe._REMOVED_AT_ONCE", 2)
    folder.append(batch(reply(), reply(), reply()))
    with Scribe(folder.path) as scribe:
        assert scribe.remove_older(NOW_MS + 1, 0)
        assert not scribe.remove_older(NOW_MS + 1, 0)
    assert folder.summary().replies == 0


def test_a_logbook_of_another_version_is_left_alone(folder: Folder) -> None:
    folder.append(batch())
    with closing(sqlite3.connect(folder.path / FILE)) as db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(OtherVersion, match="version 7"):
        Scribe(folder.path)


class Running:
    """A clerk on a thread, and a front's end of its mailbox."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.stopped = threading.Event()
        self.mailbox = Mailbox(folder)
        self.slot = Slot(folder)
        settings = {"evidence": str(folder), **settings}
        clerk = Clerk(
            folder, self.mailbox, EvidenceSettings(**settings), self.stopped, lambda: NOW_MS
        )
        self._thread = threading.Thread(target=clerk.run)
        self._thread.start()

    def end(self) -> None:
        self.stopped.set()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self.slot.close()
        self.mailbox.__exit__()


@pytest.fixture
def running(folder: Folder) -> Iterator[Callable[..., Running]]:
    """Starts keepers, which end with the test."""
    started: list[Running] = []

    def start(**settings: Any) -> Running:
        started.append(Running(folder.path, **settings))
        return started[-1]

    yield start
    for each in started:
        each.end()


def test_what_was_handed_over_before_the_end_is_kept(
    folder: Folder, running: Callable[..., Running]
) -> None:
    clerk = running(evidence_image_days=1)
    large = bytes(3_000_000)
    sha256 = hashlib.sha256(large).hexdigest()
    for number in range(5):
        told = reply(f"uuid {number}", image_sha256=sha256)
        assert clerk.slot.post(batch(told, first=number)._replace(images=(Kept(0, large),)))
    clerk.end()
    assert sorted(map(str, folder.search())) == [f"uuid {number}" for number in range(5)]
    assert image_file(folder.path, bytes.fromhex(sha256)).read_bytes() == large


def test_nobody_waits_for_a_logbook_that_is_not_there_or_full(tmp_path: Path) -> None:
    slot = Slot(tmp_path / "nowhere")
    assert not slot.post(batch())
    with Mailbox(tmp_path) as mailbox:
        slot = Slot(tmp_path)
        took = 0
        while slot.post(batch(first=took)):
            took += 1
        assert 0 < took < 1_000
        assert len(mailbox.take(0)) == took
        assert slot.post(batch(first=took))
    assert not slot.post(batch())
    with Mailbox(tmp_path) as mailbox:
        assert slot.post(batch())
        assert [Batch.from_bytes(data) for data in mailbox.take(0)] == [batch()]
    slot.close()


def test_a_mailbox_may_lie_deeper_than_an_address_is_long(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with Mailbox(folder) as mailbox:
        slot = Slot(folder)
        assert slot.post(batch())
        assert len(mailbox.take(0)) == 1
        slot.close()


def test_while_the_disk_takes_nothing_what_came_is_held(
    folder: Folder, running: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_LOOK_EVERY_S", 0.01)
    written = threading.Event()
    failures = 0
    append = Scribe.append

    def full(scribe: Scribe, *arguments: Any, **named: Any) -> None:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise sqlite3.OperationalError("database or disk is full")
        append(scribe, *arguments, **named)
        written.set()

    monkeypatch.setattr(Scribe, "append", full)
    assert running().slot.post(batch())
    assert written.wait(10)
    assert folder.search() == ["a-uuid"]


def test_what_is_no_batch_is_left_out(folder: Folder, running: Callable[..., Running]) -> None:
    clerk = running()

    class Nonsense(Batch):
        def to_bytes(self) -> bytes:
            return b"nonsense"

    assert clerk.slot.post(Nonsense("run", 0, 0, ()))
    assert clerk.slot.post(batch())
    clerk.end()
    assert folder.search() == ["a-uuid"]


def test_a_folder_that_is_removed_is_noticed(
    folder: Folder, running: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_LOOK_EVERY_S", 0.01)
    clerk = running()
    (folder.path / "logbook.sock").unlink()
    clerk._thread.join(timeout=10)
    assert not clerk._thread.is_alive()
