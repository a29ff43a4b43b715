"""Slices beside callers: who may work on jobs, and the floor that is theirs whoever waits."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.conftest import AnyRedis
from workers.contract import keys
from workers.contract.clock import Deadlines
from workers.contract.ledger import Ledger, Name, Room, Verdict
from workers.contract.line import Line, Permission, Rate
from workers.contract.message import READS, ReadRequest
from workers.contract.settings import QueueSettings
from workers.contract.slices import Slices

LINE = "handwriting/1"
EVERY = 4
ROOM = Room(within_ms=60_000, always=100, message_us=1, byte_ns=0, messages=100, image_bytes=10**6)


class World:
    """Worker processes a and b, of which none has anything to do."""

    def __init__(self, redis: AnyRedis) -> None:
        self.now_ms = 1_700_000_000_000
        self.redis = redis.client
        settings = QueueSettings(lease_ms=60_000, ready_within_ms=60_000, jobs_floor=100 // EVERY)
        self.line = Line(LINE, self.redis, settings, self.clock, self.clock)
        self.slices = Slices(LINE, self.redis, settings, self.clock)
        self.ledger = Ledger(self.redis, settings, self.clock, self.clock)
        for worker in "ab":
            self.line.beat(worker, Rate(1, 1), takes_default=True)
        self.line.probed()
        self.calls = 0

    def clock(self) -> int:
        return self.now_ms

    def callers_wait(self, count: int) -> None:
        for _ in range(count):
            self.calls += 1
            uuid = str(self.calls)
            digest = sha256(uuid.encode()).hexdigest()
            deadlines = Deadlines.after(
                self.now_ms, due_in_ms=600, wait_ms=900, useful_for_ms=3_000, drop_after_ms=10_000
            )
            admission = self.ledger.admit(
                *(Name("handwriting", uuid), digest, digest, deadlines, "front", ROOM, b"?", 1)
            )
            assert admission.verdict is Verdict.ENQUEUED

    def taken(self) -> str:
        """What a worker takes next, and does if it is a caller's."""
        message = self.redis.rpop(keys.of(LINE, keys.INFERENCE))
        if READS.encode() not in message:
            return "slice"
        (turn,) = self.line.start([ReadRequest.parse(message)], 0, 0)
        assert turn.permission is Permission.RUN
        return "caller"

    def offered(self) -> int:
        while self.slices.offer("j"):
            pass
        return int(self.redis.llen(keys.of(LINE, keys.SLICES)))


@pytest.fixture
def world(any_redis: AnyRedis) -> World:
    return World(any_redis)


def test_while_nobody_comes_all_work_on_jobs(world: World) -> None:
    assert world.offered() == 2
    assert all(world.slices.begin(worker) for worker in "ab")
    assert all(world.slices.go_on(worker) for worker in "ab")


def test_while_callers_come_one_process_is_left_to_them(world: World) -> None:
    world.callers_wait(1)
    assert world.taken() == "caller"
    assert world.offered() == 1
    assert world.slices.begin("a")
    assert not world.slices.begin("b")
    assert world.slices.go_on("a")
    # Nobody could take it.
    world.redis.delete(keys.of(LINE, keys.SLICES))
    assert world.offered() == 0
    world.slices.leave("a")
    assert world.slices.begin("b")
    # As long as that one goes on, who was there before ends with its next step.
    assert not world.slices.go_on("a")


def test_who_has_died_at_a_slice_is_forgotten(world: World) -> None:
    world.callers_wait(1)
    world.taken()
    assert world.slices.begin("a")
    world.now_ms += 60_001
    for worker in "bc":
        world.line.beat(worker, Rate(1, 1), takes_default=True)
    assert world.slices.begin("b")


def test_who_waits_is_made_way_for_after_a_step(world: World) -> None:
    assert world.slices.begin("a")
    world.callers_wait(1)
    assert not world.slices.go_on("a")


def test_a_slice_comes_before_callers_when_no_job_had_a_step_for_so_many_turns(
    world: World,
) -> None:
    assert world.offered() == 2
    world.callers_wait(3 * EVERY)
    took = [world.taken() for _ in range(2 * EVERY + 1)]
    assert took == [*["caller"] * EVERY, "slice", *["caller"] * EVERY]
    assert world.taken() == "slice"


def test_it_does_not_where_jobs_had_their_steps_anyway(world: World) -> None:
    world.offered()
    for _ in range(3 * EVERY):
        world.callers_wait(2)
        assert world.slices.begin("b")
        world.slices.go_on("b")
        assert [world.taken(), world.taken()] == ["caller", "caller"]
