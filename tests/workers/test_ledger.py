"""The ledger's rules, in both kinds of Redis and with a clock that is turned by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import ResponseError
from redis.client import PubSub

from tests.conftest import AnyRedis
from tests.redis_process import RedisProcess
from workers.contract import keys
from workers.contract.clock import Deadlines, wall_clock_ms
from workers.contract.keys import BYTES, CLAIMED, PROMOTED, of
from workers.contract.ledger import Admission, Ledger, Name, Notice, Room, Verdict
from workers.contract.line import Line, Permission, Rate, Turn
from workers.contract.message import ReadRequest, enqueue_probe
from workers.contract.result import Outcome, Result
from workers.contract.settings import QueueSettings

ALGORITHM, NAME, NEXT = "handwriting", "handwriting/1", "handwriting/2"
INFERENCE, LATE, PARTIAL_QUEUE, WORKERS, COMPLETED, COUNTS, MEMBERS = (
    of(NAME, key)
    for key in (
        *(keys.INFERENCE, keys.LATE, keys.PARTIAL),
        *(keys.WORKERS, keys.COMPLETED, keys.COUNTS, keys.MEMBERS),
    )
)

UUID, IMAGE, ANOTHER, FRONT = "a-uuid", "a" * 64, "b" * 64, "front-1"
RESULT = Result(Outcome.ANSWERED, "德", NAME, 5, 5, True, 1, 9000, 1_700_000_000)
FAILURE = Result(Outcome.FAILED, "the engine failed", NAME, 0, 5, True, 0, 0, 1)
LEASE_MS, WAIT_MS, DUE_MS, LEAST_MS = 1_000, 900, 600, 50
KEEP_FOR_MS, USEFUL_MS, DROP_MS = 60_000, 3_000, 10_000
MOST = 2
ROOM = Room(within_ms=600, always=100, message_us=0, byte_ns=0, messages=100, image_bytes=1_000_000)


class Desk:
    """A ledger with ready workers, and the hand on the clock."""

    def __init__(self, redis: AnyRedis) -> None:
        self.now_ms = 1_700_000_000_000
        self.redis = redis.client
        settings = QueueSettings(
            lease_ms=LEASE_MS, keep_for_ms=KEEP_FOR_MS, max_attempts=3, max_queue=MOST
        )
        self.ledger = Ledger(redis.client, settings, self.clock, self.clock)
        self.line = Line(NAME, redis.client, settings, self.clock, self.clock)
        self.workers_are_ready()

    def clock(self) -> int:
        return self.now_ms

    def workers_are_ready(self) -> None:
        self.redis.zadd(WORKERS, {"worker-1": self.now_ms})
        self.redis.set(COMPLETED, self.now_ms)
        self.redis.hset(CLAIMED, ALGORITHM, NAME)

    def promote(self, name: str) -> None:
        """Another line, with ready workers, takes the place of the one that was active."""
        self.redis.zadd(of(name, keys.WORKERS), {"worker-2": self.now_ms})
        self.redis.set(of(name, keys.COMPLETED), self.now_ms)
        self.redis.zadd(keys.LINES, {name: self.now_ms})
        self.redis.hset(PROMOTED, ALGORITHM, name)

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms
        self.workers_are_ready()

    def ask(
        self,
        uuid: str = UUID,
        image: str = IMAGE,
        front: str = FRONT,
        *,
        shared: bool = False,
        wait_ms: int = WAIT_MS,
        room: Room = ROOM,
        send: bool = True,
        size: int = 0,
    ) -> Admission:
        """A copy arrives. The fingerprint stands for the image, in so many bytes.

        ``shared``: with what else has the same image. ``send``: the image along with it.
        """
        subject = image if shared else f"{image}{uuid}"
        deadlines = Deadlines.after(
            self.now_ms,
            due_in_ms=wait_ms * DUE_MS // WAIT_MS,
            wait_ms=wait_ms,
            useful_for_ms=USEFUL_MS,
            drop_after_ms=DROP_MS,
        )
        file = image.encode() * max(1, size // len(image))
        self.admission = self.ledger.admit(
            *(Name(ALGORITHM, uuid), image, subject, deadlines, front, room),
            *(file if send else None, len(file)),
        )
        return self.admission

    def arrive(self, *args: Any, **kwargs: Any) -> Verdict:
        """The same, for those who want the verdict alone."""
        return self.ask(*args, **kwargs).verdict

    def pick_up(self, queue: str = INFERENCE, least_ms: int = LEAST_MS) -> Permission:
        """A worker takes the oldest message and asks for permission."""
        message = json.loads(self.redis.rpop(queue))
        assert message["properties"]["delivery_info"]["routing_key"] == INFERENCE
        self.uuid = message["headers"]["id"]
        self.ticket = json.loads(message["body"])[1]["ticket"]
        self.turn = self.start(self.uuid, self.ticket, least_ms)
        return self.turn.permission

    def start(self, uuid: str, ticket: str, least_ms: int = 0) -> Turn:
        """A worker with this message in its hands asks for permission."""
        (turn,) = self.line.start([ReadRequest(uuid, ticket)], least_ms * 1000, 0)
        return turn

    def finish(
        self, result: Result = RESULT, *, take: int = 0, ticket: str = ""
    ) -> list[ReadRequest]:
        """The worker of the latest message, or of that ticket's, is done."""
        request = ReadRequest(self.uuid, ticket or self.ticket)
        return self.line.finish([(request, result)], take=take)

    def queued(self) -> list[ReadRequest]:
        """What Celery would take, and in which order."""
        return [ReadRequest.parse(each) for each in reversed(self.redis.lrange(INFERENCE, 0, -1))]

    @property
    def key(self) -> str:
        """Of the entry of the latest message that was taken."""
        return self.entry(self.uuid)

    def entry(self, uuid: str = UUID) -> str:
        return self.redis.get(keys.request(ALGORITHM, uuid)).decode()

    def images(self) -> dict[str, int]:
        """The bytes that are stored, by what is said of them and in truth."""
        told = self.redis.hgetall(BYTES)
        stored = [self.redis.strlen(key) for key in self.redis.keys(f"{keys.IMAGE_PREFIX}*")]
        assert int(told.get(b"all", 0)) == sum(stored)
        return {name.decode(): int(count) for name, count in told.items() if int(count)}

    def completions(self) -> list[str]:
        """The uuids whose whole answers are asked for, the latest first."""
        return [
            json.loads(text)["headers"]["id"] for text in self.redis.lrange(PARTIAL_QUEUE, 0, -1)
        ]

    def waiting(self) -> int:
        return self.line.waiting()

    def result(self) -> Result | None:
        return self.ledger.result(Name(ALGORITHM, UUID))

    def executions(self) -> int:
        return self.counted("executions")

    def counted(self, what: str) -> int:
        return int(self.redis.hget(COUNTS, what) or 0)


@pytest.fixture
def desk(any_redis: AnyRedis) -> Desk:
    return Desk(any_redis)


def test_a_new_request_is_enqueued_and_its_copies_join(desk: Desk) -> None:
    assert desk.arrive() is Verdict.ENQUEUED
    assert desk.arrive() is Verdict.JOINED
    assert desk.pick_up() is Permission.RUN
    assert desk.arrive() is Verdict.JOINED
    assert desk.executions() == 1


def test_a_finished_request_is_answered_from_the_ledger(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish()

    assert desk.arrive() is Verdict.KEPT
    assert desk.result() == RESULT


def test_a_kept_result_lives_on_each_time_it_is_asked_for(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish()
    kept = (desk.key, keys.request(ALGORITHM, UUID))
    for key in kept:
        desk.redis.pexpire(key, 5_000)

    desk.arrive()

    for key in kept:
        assert 55_000 < desk.redis.pttl(key) <= 70_000


def test_a_kept_result_takes_less_than_a_kilobyte(redis: RedisProcess) -> None:
    desk = Desk(redis)
    uuid = "f" * 64
    desk.arrive(uuid, "e" * 64, shared=True)
    desk.pick_up()
    desk.finish()
    usage = [desk.redis.memory_usage(key) for key in (desk.key, keys.request(ALGORITHM, uuid))]
    assert sum(usage) < 1_024


@pytest.mark.parametrize("moment", ["queued", "running", "finished"])
def test_another_image_under_the_same_uuid_is_a_conflict(desk: Desk, moment: str) -> None:
    desk.arrive()
    if moment != "queued":
        desk.pick_up()
    if moment == "finished":
        desk.finish()
    assert desk.arrive(image=ANOTHER) is Verdict.CONFLICT


def test_a_message_never_answers_for_another_image_of_its_uuid(desk: Desk) -> None:
    """Given a message that outlived its entry, and a new request under the old uuid."""
    desk.arrive()
    desk.redis.delete(desk.entry())
    assert desk.arrive(image=ANOTHER) is Verdict.ENQUEUED
    assert desk.pick_up() is Permission.RUN
    assert desk.turn.image == ANOTHER.encode()
    desk.finish()
    assert desk.pick_up() is Permission.FINISHED
    assert desk.arrive() is Verdict.CONFLICT


def test_without_ready_workers_nothing_is_claimed(desk: Desk) -> None:
    desk.redis.delete(WORKERS)
    assert desk.arrive() is Verdict.UNREADY
    desk.workers_are_ready()
    assert desk.arrive() is Verdict.ENQUEUED


def test_workers_that_live_but_complete_nothing_are_not_ready(desk: Desk) -> None:
    desk.now_ms += 3_001
    desk.redis.zadd(WORKERS, {"worker-1": desk.now_ms})
    assert desk.arrive() is Verdict.UNREADY


def test_a_dead_workers_request_is_taken_over_when_its_lease_ends(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.pass_ms(LEASE_MS - 1)
    assert desk.arrive() is Verdict.JOINED
    desk.pass_ms(1)
    assert desk.arrive() is Verdict.ENQUEUED
    assert desk.pick_up() is Permission.RUN


def test_a_renewed_lease_holds(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.pass_ms(LEASE_MS - 1)
    desk.line.renew(desk.uuid, desk.ticket)
    desk.pass_ms(LEASE_MS - 1)
    assert desk.arrive() is Verdict.JOINED


def test_a_worker_that_lost_its_request_cannot_renew_the_lease(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    lost = desk.ticket
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.pick_up()
    desk.pass_ms(LEASE_MS - 1)
    desk.line.renew(desk.uuid, lost)
    desk.pass_ms(1)
    assert desk.arrive() is Verdict.ENQUEUED


def test_an_abandoned_request_is_taken_over_at_once(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.line.abandon(desk.uuid, desk.ticket)
    assert desk.arrive() is Verdict.ENQUEUED


def test_a_late_word_of_an_older_death_changes_nothing(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    dead = desk.ticket
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.pick_up()
    desk.line.abandon(desk.uuid, dead)
    assert desk.arrive() is Verdict.JOINED


def test_a_request_in_a_long_queue_is_not_enqueued_twice(desk: Desk) -> None:
    desk.arrive("earlier")
    desk.arrive()
    for _ in range(5):
        desk.pass_ms(LEASE_MS)
        assert desk.arrive() is Verdict.JOINED
    assert desk.waiting() == 2


def test_a_message_that_a_dying_worker_took_with_it_is_replaced(desk: Desk) -> None:
    desk.arrive()
    desk.redis.rpop(INFERENCE)
    desk.arrive("later")
    desk.pick_up()
    desk.arrive("latest")
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.JOINED
    desk.pass_ms(LEASE_MS // 4)
    assert desk.arrive() is Verdict.ENQUEUED


def test_a_request_lost_from_an_empty_queue_is_replaced(desk: Desk) -> None:
    desk.arrive()
    desk.redis.delete(INFERENCE)
    desk.pass_ms(LEASE_MS)
    assert desk.ask().look_again_ms == desk.now_ms + LEASE_MS // 4
    desk.pass_ms(LEASE_MS // 4)
    assert desk.arrive() is Verdict.ENQUEUED
    desk.redis.delete(INFERENCE)
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.JOINED


def test_what_a_worker_has_in_hand_and_has_not_begun_is_not_put_in_line_again(desk: Desk) -> None:
    desk.arrive()
    (in_hand,) = desk.queued()
    desk.redis.delete(INFERENCE)
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.JOINED
    assert desk.start(in_hand.uuid, in_hand.ticket).permission is Permission.RUN
    desk.pass_ms(LEASE_MS // 4)
    assert desk.arrive() is Verdict.JOINED
    assert desk.waiting() == 0


def test_what_was_missing_and_came_back_is_in_line_as_any_other(desk: Desk) -> None:
    """A worker that stops gives back what it had in hand: Celery writes that anew."""
    desk.arrive()
    message = json.loads(desk.redis.rpop(INFERENCE))
    message["headers"]["redelivered"] = True
    for _ in range(2):
        desk.pass_ms(LEASE_MS)
        assert desk.arrive() is Verdict.JOINED
        desk.redis.lpush(INFERENCE, json.dumps(message))
        desk.pass_ms(LEASE_MS // 4)
        assert desk.ask().look_again_ms == desk.now_ms + LEASE_MS
        desk.redis.delete(INFERENCE)


def test_of_two_messages_for_one_uuid_only_one_is_executed(desk: Desk) -> None:
    desk.arrive()
    message = desk.redis.lindex(INFERENCE, 0)
    desk.redis.lpush(INFERENCE, message)
    assert desk.pick_up() is Permission.RUN
    assert desk.pick_up() is Permission.RUNNING
    desk.finish()
    desk.redis.lpush(INFERENCE, message)
    assert desk.pick_up() is Permission.FINISHED
    assert desk.executions() == 1


def test_what_nobody_can_want_any_more_is_dropped(desk: Desk) -> None:
    desk.arrive()
    desk.pass_ms(10_001)
    assert desk.pick_up() is Permission.DROPPED
    assert desk.executions() == 0
    assert desk.arrive() is Verdict.ENQUEUED


def test_a_resend_keeps_a_waiting_request_wanted(desk: Desk) -> None:
    desk.arrive()
    desk.pass_ms(9_000)
    assert desk.arrive() is Verdict.JOINED
    desk.pass_ms(9_000)
    assert desk.pick_up() is Permission.RUN


def test_an_image_that_kills_every_worker_is_given_up(desk: Desk) -> None:
    for _ in range(3):
        assert desk.arrive() is Verdict.ENQUEUED
        assert desk.pick_up() is Permission.RUN
        desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.EXHAUSTED


def test_an_image_that_was_too_much_for_one_worker_costs_no_other(desk: Desk) -> None:
    desk.arrive("one", shared=True)
    desk.pick_up()
    desk.line.abandon(desk.uuid, desk.ticket, for_good=True)
    assert desk.arrive("one", shared=True) is Verdict.EXHAUSTED
    assert desk.arrive("another", shared=True) is Verdict.EXHAUSTED, "as the detail says"


def test_the_first_result_stands(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    second = Result(Outcome.ANSWERED, "得", "handwriting/2", 5, 5, True, 0, 0, 1_700_000_001)
    desk.finish()
    desk.finish(second)
    assert desk.result() == RESULT


def test_whoever_goes_on_gets_the_next_of_those_that_wait(desk: Desk) -> None:
    for uuid in (UUID, "second", "third"):
        desk.arrive(uuid)
        desk.pass_ms(1)
    desk.pick_up()
    (next_one,) = desk.queued()
    assert next_one.uuid == "second"
    (following,) = desk.finish(take=1)
    assert following == next_one
    # It was taken from the list, and the line moved up.
    assert [each.uuid for each in desk.queued()] == ["third"]
    assert desk.start(following.uuid, following.ticket, LEAST_MS).permission is Permission.RUN


@pytest.mark.parametrize(("wait", "taken"), [(3, 1), (4, 4), (6, 4)])
def test_several_are_taken_only_where_as_many_wait(desk: Desk, wait: int, taken: int) -> None:
    """Given one worker that would take four at once."""
    desk.arrive()
    desk.pick_up()
    for number in range(wait):
        desk.arrive(f"behind-{number}")
        desk.pass_ms(1)
    following = desk.finish(take=4)
    assert [each.uuid for each in following] == [f"behind-{number}" for number in range(taken)]
    assert desk.waiting() == wait - taken


def test_of_several_each_has_its_own_permission_and_result(desk: Desk) -> None:
    """Given one that was finished by another worker, one that is gone, and two messages of one."""
    uuids = ["first", "second", "finished", "gone"]
    for uuid in uuids:
        desk.arrive(uuid)
        desk.pass_ms(1)
    held = desk.line.finish([], take=4)
    assert [each.uuid for each in held] == uuids
    desk.line.finish([(held[2], RESULT)])
    desk.redis.delete(desk.entry("gone"))
    again = ReadRequest("first", "another ticket")
    first, second, finished, gone, twice = desk.line.start([*held, again], LEAST_MS * 1000, 0)
    assert (first.permission, second.permission) == (Permission.RUN, Permission.RUN)
    assert first.image == second.image == IMAGE.encode()
    assert finished.permission is Permission.FINISHED
    assert gone.permission is Permission.GONE
    assert twice.permission is Permission.RUNNING
    assert desk.executions() == 2

    another = RESULT._replace(text="得")
    desk.line.finish([(held[0], RESULT), (held[1], another)])
    assert desk.ledger.result(Name(ALGORITHM, "first")) == RESULT
    assert desk.ledger.result(Name(ALGORITHM, "second")) == another


@pytest.mark.parametrize(("size", "taken"), [(60_000, 4), (80_000, 1)])
def test_large_images_are_taken_one_by_one(desk: Desk, size: int, taken: int) -> None:
    for number in range(8):
        desk.arrive(f"uuid-{number}", size=size)
        desk.pass_ms(1)
    assert len(desk.line.finish([], take=4)) == taken


def test_what_a_worker_may_have_died_of_is_taken_alone(desk: Desk) -> None:
    desk.arrive("deadly")
    desk.pick_up()
    desk.line.abandon(desk.uuid, desk.ticket)
    desk.arrive("before")
    desk.pass_ms(1)
    assert desk.arrive("deadly") is Verdict.ENQUEUED
    for number in range(5):
        desk.pass_ms(1)
        desk.arrive(f"behind-{number}")

    def taken() -> list[str]:
        return [each.uuid for each in desk.line.finish([], take=4)]

    assert taken() == ["before"]
    assert taken() == ["deadly"]
    assert taken() == [f"behind-{number}" for number in range(4)]


def test_whoever_does_not_go_on_leaves_the_next_to_others(desk: Desk) -> None:
    desk.arrive()
    desk.arrive("second")
    desk.pick_up()
    assert desk.finish() == []
    assert len(desk.queued()) == 1


def test_nobody_goes_on_where_nothing_waits_or_something_else_is_next(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    assert desk.finish(take=1) == []
    desk.arrive("second")
    enqueue_probe(desk.redis, NAME)
    desk.arrive("third")
    desk.pick_up()
    assert desk.finish(take=1) == []
    (probe,) = desk.redis.lrange(INFERENCE, 0, -1)
    assert b"workers.probe" in probe


def test_a_failure_frees_the_uuid(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(FAILURE)
    assert desk.result() is None
    assert desk.arrive() is Verdict.ENQUEUED


def test_a_failure_of_a_worker_that_lost_its_request_is_not_told(desk: Desk) -> None:
    """Given that another worker runs the request meanwhile, its result may yet be good."""
    desk.arrive()
    desk.pick_up()
    lost = desk.ticket
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.pick_up()
    desk.finish(FAILURE, ticket=lost)
    desk.finish()
    assert desk.result() == RESULT


def test_a_late_answer_of_a_worker_that_lost_its_request_counts(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    lost = desk.ticket
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.finish(RESULT, ticket=lost)
    assert desk.arrive() is Verdict.KEPT
    assert desk.pick_up() is Permission.FINISHED


def test_a_worker_that_only_fails_is_not_ready(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.redis.delete(COMPLETED)
    desk.finish(FAILURE)
    assert desk.arrive() is Verdict.UNREADY


def test_a_question_repeated_over_a_broken_connection_gets_the_same_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "the same pick-up")
    desk.arrive()
    for _ in range(2):
        assert desk.start(UUID, "a ticket").permission is Permission.RUN
    assert desk.executions() == 1


def test_what_was_taken_is_told_again_over_a_broken_connection(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uuid in (UUID, *"12345678"):
        desk.arrive(uuid)
        desk.pass_ms(1)
    desk.pick_up()
    with monkeypatch.context() as patch:
        patch.setattr("secrets.token_hex", lambda _: "the same question")
        taken = [desk.finish(take=4) for _ in range(2)]
    assert [each.uuid for each in taken[0]] == [*"1234"]
    assert taken[0] == taken[1]
    assert [each.uuid for each in desk.finish(take=4)] == [*"5678"]


def test_messages_from_before_a_loss_of_data_disturb_nothing(desk: Desk) -> None:
    """Given a worker with a message in its hands when Redis comes back empty."""
    desk.arrive("old")
    message = desk.redis.rpop(INFERENCE)
    desk.redis.flushall()
    desk.workers_are_ready()
    desk.redis.lpush(INFERENCE, message)
    desk.arrive("earlier")
    desk.arrive()
    assert desk.pick_up() is Permission.GONE
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.JOINED


def test_in_a_full_redis_all_that_is_under_way_is_finished(redis: RedisProcess) -> None:
    desk = Desk(redis)
    """Given no memory, copies join, and the waiting is read, renewed, given up and taken over."""
    desk.arrive()
    desk.arrive("behind")
    desk.redis.config_set("maxmemory", 1)
    try:
        assert desk.arrive() is Verdict.JOINED
        assert desk.arrive(front="another") is Verdict.JOINED
        assert desk.pick_up() is Permission.RUN
        desk.line.renew(desk.uuid, desk.ticket)
        desk.line.abandon(desk.uuid, desk.ticket)
        assert desk.arrive() is Verdict.ENQUEUED
        assert [desk.pick_up(), desk.pick_up()] == [Permission.RUN] * 2
        assert desk.arrive("behind") is Verdict.JOINED
        desk.finish(RESULT)
        assert desk.result() == RESULT
        assert desk.arrive() is Verdict.KEPT
        with pytest.raises(ResponseError, match="maxmemory"):
            desk.arrive("new")
    finally:
        desk.redis.config_set("maxmemory", 0)


def messages(ears: PubSub) -> Iterator[dict[str, Any]]:
    """All that was published so far: the PONG comes after it."""
    ears.ping()
    while True:
        message = ears.get_message(timeout=1)
        if message and message["type"] == "pong":
            return
        if message and message["type"] == "message":
            yield message


PARTIAL = RESULT._replace(members=2, whole=False, text="得")


def test_requests_with_one_image_share_its_execution(desk: Desk) -> None:
    assert desk.arrive("one", shared=True) is Verdict.ENQUEUED
    assert desk.arrive("two", shared=True) is Verdict.JOINED
    desk.pick_up()
    desk.finish()
    assert desk.arrive("three", shared=True) is Verdict.KEPT
    assert [desk.ledger.result(Name(ALGORITHM, uuid)) for uuid in ("one", "two", "three")] == [
        RESULT
    ] * 3
    assert desk.executions() == 1


def test_a_uuid_that_shared_an_execution_still_belongs_to_its_image(desk: Desk) -> None:
    desk.arrive("one", shared=True)
    desk.arrive("two", shared=True)
    assert desk.arrive("two", ANOTHER, shared=True) is Verdict.CONFLICT
    desk.pick_up()
    desk.finish()
    assert desk.arrive("two", ANOTHER, shared=True) is Verdict.CONFLICT


def test_whoever_shares_takes_over_when_the_worker_dies(desk: Desk) -> None:
    desk.arrive("one", shared=True)
    desk.arrive("two", shared=True)
    desk.pick_up()
    desk.line.abandon(desk.uuid, desk.ticket)
    assert desk.arrive("two", shared=True) is Verdict.ENQUEUED
    assert desk.arrive("one", shared=True) is Verdict.JOINED


def test_another_bundle_reads_an_image_anew_but_not_an_old_uuid(desk: Desk) -> None:
    desk.arrive("old", shared=True)
    desk.pick_up()
    desk.finish()
    desk.promote(NEXT)
    assert desk.arrive("new", shared=True) is Verdict.ENQUEUED
    assert desk.arrive("old", shared=True) is Verdict.KEPT


FULL = ROOM._replace(always=0, messages=1)


def test_in_a_full_line_nothing_new_is_begun(desk: Desk) -> None:
    desk.arrive("first")
    assert desk.arrive(room=FULL) is Verdict.FULL
    assert desk.admission.before == 1
    assert desk.waiting() == 1
    assert desk.arrive("first", room=FULL) is Verdict.JOINED
    desk.pick_up()
    assert desk.arrive(ANOTHER, room=FULL) is Verdict.ENQUEUED


def test_a_refused_uuid_is_free(desk: Desk) -> None:
    desk.arrive("first")
    desk.arrive(room=FULL)
    assert desk.arrive(image=ANOTHER) is Verdict.ENQUEUED


def test_a_line_is_as_long_as_can_be_worked_off_in_time(desk: Desk) -> None:
    room = ROOM._replace(always=2, message_us=200_000)
    assert [desk.arrive(f"{n}", room=room) for n in range(4)] == [Verdict.ENQUEUED] * 3 + [
        Verdict.FULL
    ]
    room = ROOM._replace(always=4, message_us=200_000)
    assert desk.arrive(room=room) is Verdict.ENQUEUED


def test_a_line_of_large_images_is_full_sooner(desk: Desk) -> None:
    """Given 1,000 ns a byte: an image of 200 kB takes 200 ms, and there are 600."""
    room = ROOM._replace(always=0, byte_ns=1_000)
    large = [desk.arrive(f"{n}", room=room, size=200_000) for n in range(3)]
    assert large == [Verdict.ENQUEUED] * 2 + [Verdict.FULL]
    assert desk.arrive("small", room=room) is Verdict.ENQUEUED


def test_images_take_no_more_bytes_than_they_may(desk: Desk) -> None:
    room = ROOM._replace(image_bytes=250_000)
    sizes = [100_000, 100_000, 100_000]
    verdicts = [desk.arrive(f"{n}", room=room, size=size) for n, size in enumerate(sizes)]
    assert verdicts == [Verdict.ENQUEUED, Verdict.ENQUEUED, Verdict.FULL]
    desk.pick_up()
    desk.finish()
    assert desk.arrive("2", room=room, size=100_000) is Verdict.ENQUEUED


def test_an_image_goes_when_its_answer_is_whole(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    assert desk.images() == {"all": 64, NAME: 64}
    assert desk.turn.image == IMAGE.encode()
    desk.finish(PARTIAL)
    assert desk.images() == {"all": 64}
    desk.finish()
    assert desk.images() == {}
    assert set(desk.redis.keys()) == {
        key.encode() for key in (WORKERS, COMPLETED, CLAIMED, COUNTS, MEMBERS, BYTES)
    } | {key.encode() for key in (PARTIAL_QUEUE, desk.key, keys.request(ALGORITHM, UUID))} | {
        of(NAME, key).encode() for key in (keys.LATELY, keys.TURNS)
    }


@pytest.mark.parametrize("end", ["failed", "dropped"])
def test_an_image_goes_when_nobody_can_want_it(desk: Desk, end: str) -> None:
    desk.arrive()
    if end == "dropped":
        desk.pass_ms(DROP_MS + 1)
    desk.pick_up()
    if end == "failed":
        desk.finish(FAILURE)
    assert desk.images() == {}


def test_an_image_goes_by_itself_when_it_is_dropped_after(desk: Desk) -> None:
    desk.arrive()
    assert 0 < desk.redis.pttl(keys.image(desk.entry())) <= DROP_MS + 1_000


@pytest.mark.parametrize("gone", ["entry", "image"])
def test_the_image_of_what_is_gone_does_not_count(desk: Desk, gone: str) -> None:
    desk.arrive()
    entry = desk.entry()
    desk.redis.delete(entry if gone == "entry" else keys.image(entry))
    assert desk.pick_up() is Permission.GONE
    assert desk.images() == {}


@pytest.mark.parametrize("partial", [False, True])
def test_an_image_to_which_no_message_leads_counts_until_nobody_can_want_it(
    desk: Desk, *, partial: bool
) -> None:
    """Given one that was lost with its worker, and one whose message was forgotten."""
    desk.arrive()
    desk.pick_up()
    if partial:
        desk.finish(PARTIAL)
        desk.redis.delete(PARTIAL_QUEUE)
    desk.line.beat("worker-1", Rate(1, 1), takes_default=True)
    assert desk.images()["all"] == 64
    desk.pass_ms(DROP_MS + 2_000)
    desk.line.beat("worker-1", Rate(1, 1), takes_default=True)
    assert desk.images() == {}


def test_a_copy_brings_the_image_that_its_request_has_outlived(desk: Desk) -> None:
    """Given a line that stood still, its images gone by themselves."""
    desk.arrive()
    desk.redis.delete(keys.image(desk.entry()))
    assert desk.arrive(send=False) is Verdict.IMAGE
    assert desk.arrive() is Verdict.JOINED
    assert desk.images() == {"all": 64, NAME: 64}
    assert desk.pick_up() is Permission.RUN
    assert desk.turn.image == IMAGE.encode()


def test_what_nobody_waits_for_makes_room_for_what_somebody_does(desk: Desk) -> None:
    """The oldest first, and the re-send of one whose image has gone brings it again."""
    room = ROOM._replace(image_bytes=250_000)
    for uuid in ("partial", "late"):
        desk.arrive(uuid, room=room, size=100_000)
        desk.now_ms += 1
    desk.pick_up()
    desk.finish(PARTIAL)
    desk.pass_ms(WAIT_MS)
    desk.arrive("small", room=room)
    assert desk.pick_up() is Permission.LATE

    assert desk.arrive("new", room=room, size=100_000) is Verdict.ENQUEUED
    assert not desk.redis.exists(keys.image(desk.entry("partial")))
    assert desk.arrive("newer", room=room, size=100_000) is Verdict.ENQUEUED
    assert not desk.redis.exists(keys.image(desk.entry("late")))
    assert desk.arrive("newest", room=room, size=100_000) is Verdict.FULL

    assert [desk.pick_up() for _ in range(3)] == [Permission.RUN] * 3
    assert desk.pick_up(LATE) is Permission.GONE
    assert desk.arrive("late", room=room, size=100_000, send=False) is Verdict.IMAGE


def test_an_image_need_not_be_sent_when_it_is_not_wanted(desk: Desk) -> None:
    assert desk.arrive(send=False) is Verdict.IMAGE
    assert desk.redis.keys(f"{keys.ENTRY_PREFIX}*") == []
    assert desk.arrive() is Verdict.ENQUEUED
    assert desk.arrive(send=False) is Verdict.JOINED
    desk.pick_up()
    desk.line.abandon(desk.uuid, desk.ticket)
    assert desk.arrive(send=False) is Verdict.ENQUEUED
    desk.pick_up()
    assert desk.turn.image == IMAGE.encode()
    desk.finish()
    assert desk.arrive(send=False) is Verdict.KEPT


def test_the_hurried_go_before_the_patient(desk: Desk) -> None:
    for uuid in ("patient-1", "patient-2", "patient-3"):
        desk.arrive(uuid, wait_ms=30_000)
        # What is due in the same millisecond is in no order.
        desk.pass_ms(1)
    desk.arrive("hurried")
    picked = []
    for _ in range(4):
        assert desk.pick_up() is Permission.RUN
        picked.append(desk.uuid)
    # One for each worker process is on its way already.
    assert picked == ["patient-1", "hurried", "patient-2", "patient-3"]


def test_a_patient_request_goes_first_when_its_time_comes(desk: Desk) -> None:
    desk.arrive("on its way")
    desk.arrive("patient", wait_ms=3_000)
    desk.pass_ms(1_500)
    desk.arrive("hurried", wait_ms=WAIT_MS)
    desk.pick_up()
    assert desk.pick_up() is Permission.RUN
    assert desk.uuid == "patient"


def test_the_patient_lock_nobody_out(desk: Desk) -> None:
    """Given a line that takes 20 s, who has a second is let in, and who has ten is not."""
    room = ROOM._replace(always=2, message_us=200_000)
    patient = room._replace(within_ms=29_000)
    for number in range(100):
        assert desk.arrive(f"{number}", wait_ms=30_000, room=patient) is Verdict.ENQUEUED
    assert desk.arrive("hurried", room=room) is Verdict.ENQUEUED
    assert desk.arrive("ten", wait_ms=30_000, room=room._replace(within_ms=10_000)) is Verdict.FULL


def test_a_hurried_copy_moves_a_patient_request_up(desk: Desk) -> None:
    desk.arrive("on its way")
    for uuid in ("patient", "both"):
        desk.arrive(uuid, wait_ms=30_000)
    assert desk.arrive("both") is Verdict.JOINED
    desk.pick_up()
    desk.pick_up()
    assert desk.uuid == "both"
    assert desk.turn.answer_by_ms == desk.now_ms + WAIT_MS


def test_a_patient_copy_costs_a_hurried_one_nothing(desk: Desk) -> None:
    desk.arrive("on its way")
    desk.arrive("between", wait_ms=2_000)
    desk.arrive("both")
    desk.arrive("both", wait_ms=30_000)
    desk.pick_up()
    desk.pick_up()
    assert desk.uuid == "both"
    assert desk.turn.answer_by_ms == desk.now_ms + WAIT_MS


def test_when_the_hurried_copy_is_over_the_patient_one_counts(desk: Desk) -> None:
    desk.arrive()
    desk.arrive(wait_ms=30_000)
    desk.arrive("behind")
    desk.pass_ms(WAIT_MS)
    assert desk.pick_up() is Permission.RUN
    assert desk.turn.answer_by_ms == desk.now_ms + 30_000 - WAIT_MS


def test_what_is_late_makes_way_for_what_can_be_on_time(desk: Desk) -> None:
    desk.arrive("early")
    desk.pass_ms(WAIT_MS - LEAST_MS + 1)
    desk.arrive("behind")
    assert desk.pick_up() is Permission.LATE
    assert desk.pick_up() is Permission.RUN
    assert desk.executions() == 1


def test_what_is_late_is_executed_when_nothing_else_waits(desk: Desk) -> None:
    desk.arrive()
    desk.pass_ms(WAIT_MS)
    assert desk.pick_up() is Permission.RUN
    assert desk.turn.answer_by_ms == desk.now_ms


def test_a_resend_takes_over_what_was_late(desk: Desk) -> None:
    """Whichever of the two messages comes first is executed, and only that one."""
    desk.arrive()
    late = desk.redis.lindex(INFERENCE, 0)
    desk.pass_ms(WAIT_MS)
    desk.arrive("behind")
    assert desk.pick_up() is Permission.LATE
    assert desk.arrive() is Verdict.ENQUEUED
    assert desk.arrive() is Verdict.JOINED
    assert desk.pick_up() is Permission.RUN
    assert desk.pick_up() is Permission.RUN
    desk.redis.lpush(INFERENCE, late)
    assert desk.pick_up() is Permission.RUNNING
    assert desk.executions() == 2


def test_a_resend_gives_a_waiting_request_its_own_clock(desk: Desk) -> None:
    desk.arrive()
    desk.pass_ms(WAIT_MS)
    assert desk.arrive() is Verdict.JOINED
    desk.arrive("behind")
    assert desk.pick_up() is Permission.RUN
    assert desk.turn.answer_by_ms == desk.now_ms + WAIT_MS


def share(desk: Desk, waiting: int, workers: int, **kwargs: int) -> int:
    """What an image may take behind which so many wait for so many processes."""
    desk.redis.zadd(WORKERS, {f"worker-{number + 1}": desk.now_ms for number in range(workers)})
    desk.arrive()
    for number in range(waiting):
        desk.arrive(f"behind-{number}", **kwargs)
    desk.pick_up()
    assert desk.turn.waiting == waiting
    return desk.turn.share_ms


@pytest.mark.parametrize(
    ("waiting", "workers", "share_ms"),
    [(0, 1, 600), (5, 1, 100), (59, 1, 10), (5, 5, 300), (40, 4, 54), (599, 1, 1)],
)
def test_the_share_of_an_image_is_what_is_left_divided_by_those_behind(
    desk: Desk, waiting: int, workers: int, share_ms: int
) -> None:
    room = ROOM._replace(messages=1_000, always=1_000)
    assert share(desk, waiting, workers, room=room) == share_ms


def test_the_patient_behind_reckon_with_their_own_time(desk: Desk) -> None:
    """Of twenty that are due in 20 s, the one on its way to a worker shares these 600 ms."""
    assert share(desk, 20, 1, wait_ms=30_000) == 300


def test_a_patient_image_makes_way_for_the_hurried_behind(desk: Desk) -> None:
    desk.arrive("patient", wait_ms=30_000)
    for number in range(9):
        desk.arrive(f"{number}")
    desk.pick_up()
    assert desk.turn.share_ms >= 60


def test_an_answer_of_all_takes_the_place_of_one_of_some(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    assert desk.result() == PARTIAL
    desk.finish(RESULT)
    assert desk.result() == RESULT
    desk.finish(RESULT._replace(text="another"))
    assert desk.result() == RESULT


def test_an_answer_by_the_express_member_is_counted_and_gives_way_to_one_of_all(desk: Desk) -> None:
    """Given an ensemble of one member, so that both are of one."""
    desk.arrive()
    desk.pick_up()
    express = PARTIAL._replace(members=1, of_members=1, stopped="express")
    desk.finish(express)
    assert desk.result() == express
    assert desk.pick_up(PARTIAL_QUEUE) is Permission.COMPLETE
    desk.finish(express._replace(whole=True, stopped="all"))
    assert desk.result() == express._replace(whole=True, stopped="all")
    assert (desk.counted("express"), desk.counted("completions")) == (1, 1)


def test_an_answer_of_some_never_takes_the_place_of_one_of_all(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(RESULT)
    desk.finish(PARTIAL)
    assert desk.result() == RESULT
    assert desk.completions() == []


def test_an_answer_of_some_asks_for_the_one_of_all_until_that_is_there(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    for _ in range(2):
        assert desk.completions() == [UUID]
        assert desk.pick_up(PARTIAL_QUEUE) is Permission.COMPLETE
        assert desk.turn.image == IMAGE.encode()
        desk.finish(PARTIAL)
    desk.pick_up(PARTIAL_QUEUE)
    desk.finish(RESULT)
    assert desk.completions() == []
    assert desk.counted("completions") == 1


def test_nothing_is_completed_while_others_wait(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    desk.arrive("others")
    assert desk.pick_up(PARTIAL_QUEUE) is Permission.FINISHED
    assert desk.completions() == [UUID]


@pytest.mark.parametrize("send", [True, False])
def test_a_kept_answer_of_some_that_is_asked_for_again_is_completed(desk: Desk, send: bool) -> None:
    """Given one that was not completed while it was useful, and whose image has gone."""
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    desk.pass_ms(USEFUL_MS + 1)
    assert desk.pick_up(PARTIAL_QUEUE) is Permission.FINISHED
    desk.redis.delete(keys.image(desk.key))

    assert desk.arrive(send=send) is Verdict.KEPT
    assert desk.admission.image_wanted is not send
    if not send:
        assert desk.completions() == []
        assert desk.arrive() is Verdict.KEPT
    assert desk.completions() == [UUID]
    assert desk.arrive() is Verdict.KEPT
    assert desk.completions() == [UUID], "one is enough"
    assert desk.pick_up(PARTIAL_QUEUE) is Permission.COMPLETE
    desk.finish(RESULT)
    assert desk.result() == RESULT
    assert desk.images() == {}


def test_the_oldest_of_too_many_completions_are_forgotten(desk: Desk) -> None:
    for uuid in "abc":
        desk.arrive(uuid)
        desk.pick_up()
        desk.finish(PARTIAL)
    assert desk.completions() == ["c", "b"]


def test_what_workers_did_is_counted(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.line.abandon(desk.uuid, desk.ticket)
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    assert (desk.counted("executions"), desk.counted("takeovers")) == (2, 1)
    assert desk.redis.hgetall(MEMBERS) == {b"2": b"1"}


def test_a_worker_that_sets_aside_what_is_late_is_alive(desk: Desk) -> None:
    desk.arrive()
    desk.pass_ms(WAIT_MS)
    desk.arrive("behind")
    desk.redis.delete(COMPLETED)
    assert desk.pick_up() is Permission.LATE
    assert desk.arrive("new") is Verdict.ENQUEUED


def test_the_time_is_that_of_redis(any_redis: AnyRedis) -> None:
    """Given a front an hour ahead of a worker, both an hour off."""
    settings = QueueSettings()
    front = Ledger(any_redis.client, settings, lambda: wall_clock_ms() + 3_600_000)
    worker = Line(NAME, any_redis.client, settings, lambda: wall_clock_ms() - 3_600_000)
    worker.beat("host:1", Rate(100, 1e9), takes_default=True)
    worker.probed()
    deadlines = Deadlines.after(
        wall_clock_ms() + 3_600_000,
        due_in_ms=20_000, wait_ms=30_000, useful_for_ms=30_000, drop_after_ms=30_000,
    )  # fmt: skip
    arguments = (Name(ALGORITHM, UUID), IMAGE, IMAGE, deadlines, FRONT, ROOM, b"image", 5)
    assert front.admit(*arguments).verdict is Verdict.ENQUEUED
    request = ReadRequest.parse(any_redis.client.rpop(INFERENCE))
    (turn,) = worker.start([request], 0, 0)
    assert turn.permission is Permission.RUN
    left_ms = turn.answer_by_ms - (wall_clock_ms() - 3_600_000)
    assert 0 < left_ms <= 30_000
    worker.renew(UUID, request.ticket)
    assert front.admit(*arguments).verdict is Verdict.JOINED


def test_a_completed_answer_is_told_to_nobody_again(desk: Desk) -> None:
    with desk.redis.pubsub() as ears:
        ears.subscribe(FRONT)
        desk.arrive()
        desk.pick_up()
        desk.finish(PARTIAL)
        desk.finish(RESULT)
        heard = [Notice.parse(message["data"]) for message in messages(ears)]
    assert heard == [Notice(NAME, IMAGE + UUID, PARTIAL)]


def test_nothing_is_completed_that_was_forgotten(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    desk.redis.delete(desk.key)
    desk.finish(RESULT)
    assert desk.result() is None


def test_every_front_that_waits_is_told_once(desk: Desk) -> None:
    with desk.redis.pubsub() as ears:
        ears.subscribe("front-1", "front-2", "front-3")
        desk.arrive(front="front-1")
        desk.arrive(front="front-2")
        desk.arrive(front="front-1")
        desk.pick_up()
        desk.finish()
        heard = [
            (message["channel"].decode(), Notice.parse(message["data"]))
            for message in messages(ears)
        ]
    assert sorted(heard) == [(f"front-{n}", Notice(NAME, IMAGE + UUID, RESULT)) for n in (1, 2)]


def test_the_abandoned_are_told_to_look_again(desk: Desk) -> None:
    with desk.redis.pubsub() as ears:
        ears.subscribe(FRONT)
        desk.arrive()
        desk.pick_up()
        desk.line.abandon(desk.uuid, desk.ticket)
        heard = [Notice.parse(message["data"]) for message in messages(ears)]
    assert heard == [Notice(NAME, IMAGE + UUID, None)]


def test_entries_expire_by_themselves(desk: Desk) -> None:
    desk.arrive()
    assert desk.redis.pttl(desk.entry()) > 0
    assert desk.redis.pttl(keys.request(ALGORITHM, UUID)) > 0


def test_the_clocks_are_counted_from_arrival() -> None:
    deadlines = Deadlines.after(
        1_000, due_in_ms=600, wait_ms=900, useful_for_ms=3_000, drop_after_ms=10_000
    )
    assert deadlines == (1_600, 1_900, 4_000, 11_000)
    assert deadlines.spans(1_100) == (500, 800, 2_900, 9_900)


def test_a_patient_caller_moves_all_the_clocks() -> None:
    assert Deadlines.after(
        0, due_in_ms=20_000, wait_ms=30_000, useful_for_ms=3_000, drop_after_ms=10_000
    ) == (20_000, 30_000, 30_000, 30_000)


def test_while_callers_wait_one_turn_in_so_many_is_a_jobs(desk: Desk) -> None:
    desk.redis.lpush(of(NAME, keys.SLICES), *["slice"] * 3)
    turns = []
    for number in range(26):
        desk.arrive(f"uuid-{number}")
        desk.arrive(f"behind-{number}")
    for _ in range(26):
        if desk.redis.lindex(INFERENCE, -1) == b"slice":
            turns.append(desk.redis.rpop(INFERENCE))
        desk.pick_up()
        turns.append(b"caller")
    # Of a hundred eight are, which is one in twelve.
    assert [at for at, turn in enumerate(turns) if turn == b"slice"] == [12, 25]


def test_while_nobody_waits_no_slice_is_put_before_callers(desk: Desk) -> None:
    desk.redis.lpush(of(NAME, keys.SLICES), "slice")
    for number in range(13):
        desk.arrive(f"uuid-{number}")
        desk.pick_up()
    assert desk.redis.llen(of(NAME, keys.SLICES)) == 1
