"""Jobs in a worker process: when it reads, when it makes way, and what comes of each image."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from model.ensemble import Ensemble, Reading
from model.errors import ImageUnreadable
from tests.memory_redis import MemoryRedis
from workers.contract import keys
from workers.contract.contents import Contents
from workers.contract.files import Files
from workers.contract.items import Items
from workers.contract.job import Input, Job, Order
from workers.contract.jobs import Jobs
from workers.contract.keys import of
from workers.contract.lanes import Lane
from workers.contract.line import Line, Rate
from workers.contract.slices import Slices
from workers.contract.uploads import Uploads
from workers.feeder import Feeder
from workers.inputs import Inputs
from workers.jobs import JobReader
from workers.settings import WorkerSettings
from workers.unpacking import Unpacker

LINE, OTHER = "handwriting/1", "handwriting/2"


class Readers:
    """An ensemble of three, of which two settle; its images are what they read."""

    size = 3

    def __init__(self, world: World) -> None:
        self._world = world
        self.bundle = cast(Any, type("Bundle", (), {"id": LINE}))
        self.asked: list[bytes] = []

    def readings(self, image: bytes) -> Iterator[Reading]:
        if image == b"bad":
            raise ImageUnreadable("no picture")
        return self._ask(image)

    def _ask(self, image: bytes) -> Iterator[Reading]:
        for members in (1, 2):
            self.asked.append(image)
            self._world.now_ms += self._world.member_ms
            if image == b"breaks":
                raise ValueError("of the engine")
            yield Reading(image.decode(), 0.9, members, members == 2)


class World:
    """One worker process and its Redis; nobody waits unless the test says so."""

    def __init__(self, memory: MemoryRedis, folder: Path) -> None:
        self.now_ms, self.member_ms = 1_700_000_000_000, 10
        self.redis = memory.client
        settings = WorkerSettings(max_attempts=2, lease_ms=60_000)
        self.line = Line(LINE, self.redis, settings)
        self.line.beat("w:1", Rate(1, 1), takes_default=True)
        files = Files(folder)
        self.jobs = Jobs(files, 60_000, 100_000, self.clock)
        self.items = Items(files, 1_000, settings.max_attempts, self.clock)
        self.ensemble = Readers(self)
        slices = Slices(LINE, self.redis, settings)
        uploads = Uploads(files, 100_000, self.clock)
        self.feeder = Feeder("handwriting", self.jobs, uploads, slices, self.clock)
        contents = Contents(files, 1_000, settings.max_attempts, self.clock)
        unpacker = Unpacker(files, contents, Inputs(1_000))
        self.reader = JobReader(
            *(cast(Ensemble, self.ensemble), self.line, slices, self.jobs, self.items, unpacker),
            *(bytes, self.feeder.feed, self.clock),
        )

    def clock(self) -> int:
        return self.now_ms

    def order(self, *images: str, name: str = "j") -> Job:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number, image in enumerate(images):
                archive.writestr(f"{number}.png", image)
        return self.bring(buffer.getvalue(), name)

    def bring(self, data: bytes, name: str = "j") -> Job:
        order = Order(name, "d", "handwriting", Lane.BATCH, (Input("zip", "0"),), len(data))
        return self.jobs.create(order, lambda folder: [(folder / "0").write_bytes(data)])

    def found(self, name: str = "j") -> Job:
        job = self.jobs.find(name)
        assert job is not None
        return job

    def results(self) -> list[Any]:
        lines = "".join(self.items.results(self.found())).splitlines()
        return [json.loads(line) for line in lines]

    def answers(self) -> list[Any]:
        return [line.get("answer") for line in self.results()]

    def callers_wait(self, count: int) -> None:
        self.redis.delete(of(LINE, keys.INFERENCE))
        if count:
            self.redis.lpush(of(LINE, keys.INFERENCE), *["message"] * count)

    def offered(self) -> list[str]:
        messages = self.redis.lrange(of(LINE, keys.SLICES), 0, -1)
        return [json.loads(json.loads(message)["body"])[1]["job"] for message in messages]


@pytest.fixture
def world(memory: MemoryRedis, tmp_path: Path) -> World:
    return World(memory, tmp_path)


def test_while_nobody_waits_it_reads_on(world: World) -> None:
    world.order("德", "人")
    world.reader.work("j", "t")
    assert world.answers() == ["德", "人"]
    assert world.results()[0]["members"] == "2/3;settled"
    assert world.results()[0]["bundle"] == LINE
    assert world.found().state == "succeeded"


def test_a_slice_ends_in_time(world: World) -> None:
    world.member_ms = 500
    world.order(*"德人日月")
    world.reader.work("j", "t")
    assert len(world.ensemble.asked) == 3
    world.reader.work("j", "t")
    world.reader.work("j", "t")
    assert world.answers() == [*"德人日月"]
    assert len(world.ensemble.asked) == 8


def test_who_waits_waits_for_one_member_at_most_and_none_is_asked_twice(world: World) -> None:
    world.order("德", "人")
    world.reader.work("j", "t")
    world.order("日", "月", name="other")
    world.callers_wait(1)
    asked = len(world.ensemble.asked)
    for _ in range(2):
        # Unpacking is a step too.
        world.reader.work("other", "t")
    assert len(world.ensemble.asked) == asked + 1
    world.callers_wait(0)
    world.reader.work("other", "t")
    assert world.ensemble.asked[asked:] == [image.encode() for image in "日日月月"]


def test_what_was_in_hand_is_left_to_whoever_took_it_over(world: World) -> None:
    world.order("德")
    world.callers_wait(1)
    world.reader.work("j", "t")
    world.reader.work("j", "t")
    world.now_ms += 10_000
    taken = world.items.claim(world.found(), "other")
    assert taken is not None
    world.callers_wait(0)
    world.reader.work("j", "t")
    assert world.answers() == []
    world.items.finish(taken, {"answer": "other"})
    assert world.answers() == ["other"]


def test_what_cannot_be_read_is_its_own_result(world: World) -> None:
    world.order("bad", "德", "breaks")
    world.reader.work("j", "t")
    kinds = [
        line.get("answer") or line["error"]["type"].rpartition(":")[2] for line in world.results()
    ]
    assert kinds == ["image-unreadable", "德", "engine-failed"]
    # As often as may be.
    assert world.ensemble.asked.count(b"breaks") == 2
    assert world.found().state == "succeeded"


def test_nothing_is_read_twice(world: World) -> None:
    world.order("德", "德", "德")
    world.reader.work("j", "t")
    assert world.answers() == ["德"] * 3
    assert world.ensemble.asked == ["德".encode()] * 2


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"no archive", "neither a zip nor a tar"), (b"PK\5\6" + bytes(18), "no image in it")],
)
def test_a_job_that_cannot_be_done_says_why(world: World, data: bytes, why: str) -> None:
    world.bring(data)
    world.reader.work("j", "t")
    assert world.found().state == "failed"
    assert why in (world.found().problem or "")


def test_a_large_archive_is_unpacked_a_little_at_a_time(world: World) -> None:
    world.order(*(f"{number}" for number in range(120)))
    world.callers_wait(1)
    counts = []
    while world.found().total is None:
        world.reader.work("j", "t")
        with world.jobs._files.reading() as database:
            counts.append(database.execute("SELECT COUNT(*) FROM item").fetchone()[0])
    assert counts == [50, 100, 120]


def test_a_process_keeps_its_place_in_several_archives(world: World) -> None:
    world.callers_wait(1)
    world.order(*map(str, range(60)))
    world.order(*map(str, range(70)), name="other")
    world.order(*map(str, range(60)), name="cancelled")
    for name in ("j", "other", "cancelled"):
        world.reader.work(name, "t")
    world.jobs.cancel("cancelled")
    for name in ("cancelled", "other", "j"):
        world.reader.work(name, "t")
    assert (world.found().total, world.found("other").total) == (60, 70)


def test_what_the_disk_did_not_take_is_found_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError("no space left")

    world.order("德", "人")
    with monkeypatch.context() as patch:
        patch.setattr(Contents, "add", fails)
        with pytest.raises(OSError, match="no space"):
            world.reader.work("j", "t")
    world.now_ms += 10_000
    world.reader.work("j", "t")
    assert world.answers() == ["德", "人"]


def test_slices_are_offered_in_turn_as_many_as_there_are_processes(world: World) -> None:
    world.line.beat("w:2", Rate(1, 1), takes_default=True)
    world.order("德")
    world.now_ms += 1
    world.order("人", name="other")
    world.feeder.feed()
    assert sorted(world.offered()) == ["j", "other"]
    world.feeder.feed()
    assert len(world.offered()) == 2


def test_a_line_that_is_not_active_takes_no_job(world: World) -> None:
    world.order("德")
    settings = WorkerSettings(lease_ms=60_000)
    Line(OTHER, world.redis, settings).beat("w:3", Rate(1, 1), takes_default=True)
    assert not Slices(OTHER, world.redis, settings).offer("j")
    assert Slices(LINE, world.redis, settings).offer("j")


def test_nobody_waits_for_a_job_that_is_gone(world: World) -> None:
    assert world.reader.work("none", "t")["steps"] == 0
    assert world.offered() == []
