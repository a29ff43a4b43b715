"""Jobs and their items in a folder: one result each, whoever dies, and a hand on the clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workers.contract import jobs as module
from workers.contract.account import filed
from workers.contract.contents import Contents, Found, TooOften
from workers.contract.files import Files, NoRoom
from workers.contract.items import Item, Items
from workers.contract.job import Input, Job, Order, State
from workers.contract.jobs import Conflict, Jobs
from workers.contract.lanes import LANES, Lane

KEEP_MS, LIMIT_MS, LEASE_MS = 60_000, 1_000, 3_000
ANSWER = {"answer": "德"}
ERROR = {"error": {"status": 422}}


class World:
    def __init__(self, folder: Path) -> None:
        self.now_ms = 1_700_000_000_000
        self.files = Files(folder)
        self.jobs = Jobs(self.files, KEEP_MS, 1_000, self.clock)
        self.contents = Contents(self.files, LIMIT_MS, 2, self.clock)
        self.items = Items(self.files, LIMIT_MS, 2, self.clock)

    def clock(self) -> int:
        return self.now_ms

    def create(self, name: str = "j", lane: Lane = Lane.BATCH, **order: Any) -> Job:
        fields = {"digest": "d", "algorithm": "a", "inputs": (Input("zip", "0"),), "size": 10}
        wanted = Order(id=name, lane=lane, **fields | order)
        return self.jobs.create(wanted, lambda folder: [(folder / "0").write_bytes(b"PK")])

    def with_items(self, count: int, name: str = "j", lane: Lane = Lane.BATCH) -> Job:
        job = self.create(name, lane)
        assert self.contents.begin(job, "unpacker") == 0
        found = [Found(0, f"{n}.png", f"digest-{n}", b"image %d" % n) for n in range(count)]
        assert self.contents.add(job, 0, found, left_out=1)
        self.contents.end(job, count)
        return self.found(name)

    def found(self, name: str = "j") -> Job:
        job = self.jobs.find(name)
        assert job is not None
        return job

    def claim(self, job: Job, ticket: str = "t") -> Item:
        item = self.items.claim(job, ticket)
        assert item is not None
        return item

    def results(self, name: str = "j") -> list[dict[str, Any]]:
        pages = self.items.results(self.found(name))
        return [json.loads(line) for line in "".join(pages).splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_job_is_queued_then_running_then_succeeded(world: World) -> None:
    job = world.with_items(2)
    assert (job.state, job.total, job.left_out) == (State.QUEUED, 2, 1)
    for expected in (b"image 0", b"image 1"):
        item = world.claim(job)
        assert item.image() == expected
        assert world.found().state is State.RUNNING
        world.items.finish(item, ANSWER)
    ended = world.found()
    assert (ended.state, ended.succeeded, ended.failed) == (State.SUCCEEDED, 2, 0)
    assert ended.kept_until_ms == world.now_ms + KEEP_MS
    assert [line["id"] for line in world.results()] == ["0.png", "1.png"]
    assert not world.files.folder(job.folder).exists()


def test_without_a_single_answer_it_failed(world: World) -> None:
    job = world.with_items(1)
    world.items.finish(world.claim(job), ERROR)
    assert world.found().state is State.FAILED


def test_the_same_order_is_the_same_job_and_another_one_is_refused(world: World) -> None:
    first = world.create()
    assert world.create().number == first.number
    with pytest.raises(Conflict):
        world.create(digest="other")


def test_what_all_bring_is_bounded_and_frees_its_room_at_the_end(world: World) -> None:
    world.create("first", size=990)
    with pytest.raises(NoRoom):
        world.create("second", size=20)
    assert [folder.name for folder in world.files.folder("").iterdir()] == [
        world.found("first").folder
    ]
    world.jobs.cancel("first")
    world.now_ms += 1_000
    assert world.found("first").state is State.CANCELLED
    world.create("second", size=20)


def test_the_first_result_of_an_item_stands(world: World) -> None:
    job = world.with_items(2)
    item = world.claim(job, "frozen")
    world.now_ms += LEASE_MS
    again = world.claim(job, "other")
    assert again.number == item.number
    world.items.finish(again, ANSWER)
    world.items.finish(item, ERROR)
    assert [line.get("answer") for line in world.results()] == ["德"]
    assert (world.found().succeeded, world.found().failed) == (1, 0)


def test_whoever_is_at_an_item_is_left_in_peace(world: World) -> None:
    job = world.with_items(1)
    world.claim(job)
    world.now_ms += LEASE_MS - 1
    assert world.items.claim(job, "other") is None


def test_what_a_dead_process_had_is_free_at_once(world: World) -> None:
    job = world.with_items(1)
    world.claim(job, "dead")
    world.items.give_back("dead")
    assert world.claim(job, "living").number == 0


def test_an_item_that_costs_workers_ends_as_its_own_error(world: World) -> None:
    job = world.with_items(2)
    for _ in range(2):
        assert world.claim(job, "dies").number == 0
        world.items.give_back("dies")
    assert world.claim(job).number == 1
    (poison,) = world.results()
    assert poison["error"]["type"].endswith("engine-failed")


def test_what_was_too_much_for_a_worker_costs_no_other(world: World) -> None:
    job = world.with_items(1)
    world.claim(job, "hangs")
    world.items.give_back("hangs", for_good=True)
    assert world.found().state is State.FAILED


def test_an_item_in_hand_is_kept_only_by_whom_it_belongs_to(world: World) -> None:
    job = world.with_items(1)
    item = world.claim(job, "first")
    assert world.items.renew(item, "second")
    assert not world.items.renew(item, "third")


def test_cancelled_it_ends_within_a_second_and_keeps_what_was_read(world: World) -> None:
    job = world.with_items(3)
    world.items.finish(world.claim(job), ANSWER)
    late = world.claim(job)
    world.jobs.cancel("j")
    assert world.found().state is State.CANCELLING
    assert world.items.claim(job, "t") is None
    world.now_ms += 1_000
    assert world.found().state is State.CANCELLED
    world.items.finish(late, ANSWER)
    answers = [line.get("answer") or line["error"]["type"] for line in world.results()]
    assert answers == ["德", *["urn:punctual:problem:not-read"] * 2]
    assert world.found().succeeded == 1


def test_a_job_that_has_ended_cannot_be_cancelled(world: World) -> None:
    job = world.with_items(1)
    world.items.finish(world.claim(job), ANSWER)
    world.jobs.cancel("j")
    assert world.found().state is State.SUCCEEDED


def test_out_of_time_it_expires_with_what_was_read(world: World) -> None:
    job = world.with_items(2, lane=Lane.ASYNCHRONOUS)
    world.items.finish(world.claim(job), ANSWER)
    world.now_ms += LANES[Lane.ASYNCHRONOUS].within_ms or 0
    assert job.deadline_ms == world.now_ms
    assert world.found().state is State.EXPIRED
    assert "answer" in world.results()[0]


def test_jobs_take_turns(world: World) -> None:
    first, second = world.with_items(3, "first"), world.with_items(3, "second")
    world.now_ms += 1
    turns = []
    for _ in range(4):
        job = world.jobs.due("a")[0]
        turns.append(job.id)
        world.claim(job)
        world.now_ms += 1
    assert turns == [first.id, second.id] * 2
    assert world.jobs.due("other") == []


def test_unpacking_goes_on_where_a_dead_worker_left_off(world: World) -> None:
    job = world.create()
    assert world.contents.begin(job, "dies") == 0
    world.contents.add(job, 0, [Found(0, "a", "d", b"aa"), Found(0, "b", "e", b"b", ERROR)], 0)
    with (world.files.folder(job.folder) / "images").open("ab") as images:
        images.write(b"not counted")
    assert world.contents.begin(job, "too early") is None
    world.now_ms += LEASE_MS
    assert world.contents.begin(job, "next") == 2
    world.contents.add(job, 2, [Found(0, "c", "f", b"ccc")], 0)
    assert [world.claim(job).image() for _ in range(2)] == [b"aa", b"ccc"]


def test_unpacking_that_costs_workers_is_given_up(world: World) -> None:
    job = world.create()
    for _ in range(2):
        world.contents.begin(job, "dies")
        world.items.give_back("dies")
    with pytest.raises(TooOften):
        world.contents.begin(job, "next")


def test_the_same_image_in_a_job_is_known(world: World) -> None:
    job = world.create()
    world.contents.begin(job, "unpacker")
    world.contents.add(job, 0, [Found(0, name, "same", b"image") for name in "ab"], 0)
    first, second = world.claim(job), world.claim(job)
    assert world.items.known(second) is None
    world.items.finish(first, ANSWER)
    assert world.items.known(second) == ANSWER


def test_what_was_kept_for_long_enough_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FORGET_AT_ONCE", 2)
    job = world.with_items(3)
    for _ in range(3):
        world.items.finish(world.claim(job), ANSWER)
    world.found()
    world.now_ms += KEEP_MS
    assert world.jobs.find("j") is None
    # Its id is free even before it is swept.
    assert world.create(digest="other").state is State.QUEUED
    with world.files.reading() as database:
        assert database.execute("SELECT COUNT(*) FROM item").fetchone()[0] == 0


def test_pages_of_jobs_begin_with_the_latest(world: World) -> None:
    numbers = [world.create(name).number for name in "abc"]
    assert [job.id for job in world.jobs.page("", 2**62, 2)] == ["c", "b"]
    assert [job.id for job in world.jobs.page("", numbers[1], 2)] == ["a"]


def test_each_account_has_jobs_of_its_own(world: World) -> None:
    for id_ in ("j", filed("bank", "j"), filed("bank-2", "j"), filed("bank", "k")):
        world.create(id_, digest=id_)
    for account, ids in {"": ["j"], "bank": ["bank/k", "bank/j"], "bank-2": ["bank-2/j"]}.items():
        assert [job.id for job in world.jobs.page(account, 2**62, 9)] == ids


def test_what_was_read_for_an_account_is_charged_once(world: World) -> None:
    mine, nobodys = world.with_items(3, filed("bank", "j")), world.with_items(1)
    assert world.jobs.charge() == []
    for _ in range(2):
        world.items.finish(world.claim(mine), ANSWER)
    world.items.finish(world.claim(nobodys), ANSWER)
    assert world.jobs.charge() == [("bank", "a", 2)]
    world.items.finish(world.claim(mine), {"error": {"status": 422}})
    assert world.jobs.charge() == []
