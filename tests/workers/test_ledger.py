"""The ledger's rules, with a real Redis and a clock that is turned by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from redis.client import PubSub

from tests.redis_process import RedisProcess
from workers.contract.clock import Deadlines
from workers.contract.keys import BUNDLE, COMPLETED, COUNTS, LINE, WORKERS, request
from workers.contract.ledger import Ledger, Notice, Permission, Verdict
from workers.contract.queue import INFERENCE
from workers.contract.queue import PARTIAL as PARTIAL_QUEUE
from workers.contract.result import Outcome, Result
from workers.contract.settings import QueueSettings

UUID, IMAGE, ANOTHER, FRONT = "a-uuid", "a" * 64, "b" * 64, "front-1"
RESULT = Result(Outcome.ANSWERED, "德", "handwriting/1", 5, 5, True, 1, 9000, 1_700_000_000)
FAILURE = Result(Outcome.FAILED, "the engine failed", "handwriting/1", 0, 5, True, 0, 0, 1)
LEASE_MS, WAIT_MS, LEAST_MS = 1_000, 900, 50
MOST = 2


class Desk:
    """A ledger with ready workers, and the hand on the clock."""

    def __init__(self, redis: RedisProcess) -> None:
        self.now_ms = 1_700_000_000_000
        self.redis = redis.client
        settings = QueueSettings(
            lease_ms=LEASE_MS, keep_for_ms=60_000, max_attempts=3, max_queue=MOST
        )
        self.ledger = Ledger(redis.client, settings, lambda: self.now_ms)
        self.workers_are_ready()

    def workers_are_ready(self) -> None:
        self.redis.zadd(WORKERS, {"worker-1": self.now_ms})
        self.redis.set(COMPLETED, self.now_ms)
        self.redis.set(BUNDLE, "handwriting/1")

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms
        self.workers_are_ready()

    def arrive(
        self,
        uuid: str = UUID,
        image: str = IMAGE,
        front: str = FRONT,
        *,
        shared: bool = False,
        wait_ms: int = WAIT_MS,
        longest_line: int = 100,
    ) -> Verdict:
        """A copy arrives; when it is to be enqueued, the message is put in the queue.

        ``shared``: with what else has the same image.
        """
        subject = image if shared else f"{image}{uuid}"
        deadlines = Deadlines.after(
            self.now_ms, wait_ms=wait_ms, useful_for_ms=3_000, drop_after_ms=10_000
        )
        admission = self.ledger.admit(uuid, image, subject, deadlines, front, longest_line)
        if admission.verdict is Verdict.ENQUEUE:
            self.place, self.key = admission.place, admission.image_key
            self.redis.lpush(INFERENCE, f"{self.key} {self.place}")
        return admission.verdict

    def pick_up(self) -> Permission:
        """A worker takes the oldest message and asks for permission."""
        key, place = self.redis.rpop(INFERENCE).decode().rsplit(" ", 1)
        self.turn = self.ledger.start(key, int(place), LEAST_MS)
        return self.turn.permission

    def finish(self, result: Result = RESULT) -> None:
        """The worker of the latest message is done."""
        completion = "" if result.whole else f"complete {self.key}"
        self.ledger.finish(self.key, self.place, result, completion)

    def completions(self) -> list[bytes]:
        """The messages that ask for whole answers, the latest first."""
        return self.redis.lrange(PARTIAL_QUEUE, 0, -1)

    def result(self) -> Result | None:
        return self.ledger.result(UUID)

    def executions(self) -> int:
        return int(self.redis.hget(COUNTS, "executions") or 0)


@pytest.fixture
def desk(redis: RedisProcess) -> Desk:
    return Desk(redis)


def test_a_new_request_is_enqueued_and_its_copies_join(desk: Desk) -> None:
    assert desk.arrive() is Verdict.ENQUEUE
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
    kept = (desk.key, request(UUID))
    for key in kept:
        desk.redis.pexpire(key, 5_000)

    desk.arrive()

    for key in kept:
        assert 55_000 < desk.redis.pttl(key) <= 70_000


def test_a_kept_result_takes_less_than_a_kilobyte(desk: Desk) -> None:
    uuid = "f" * 64
    desk.arrive(uuid, "e" * 64, shared=True)
    desk.pick_up()
    desk.finish()
    usage = [desk.redis.memory_usage(key) for key in (desk.key, request(uuid))]
    assert sum(usage) < 1_000


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
    desk.redis.delete(desk.key)
    assert desk.arrive(image=ANOTHER) is Verdict.ENQUEUE
    assert desk.pick_up() is Permission.GONE
    assert desk.pick_up() is Permission.RUN


def test_without_ready_workers_nothing_is_claimed(desk: Desk) -> None:
    desk.redis.delete(WORKERS)
    assert desk.arrive() is Verdict.UNREADY
    desk.workers_are_ready()
    assert desk.arrive() is Verdict.ENQUEUE


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
    assert desk.arrive() is Verdict.ENQUEUE
    assert desk.pick_up() is Permission.RUN


def test_a_renewed_lease_holds(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.pass_ms(LEASE_MS - 1)
    desk.ledger.renew(desk.key, desk.place)
    desk.pass_ms(LEASE_MS - 1)
    assert desk.arrive() is Verdict.JOINED


def test_a_worker_that_lost_its_request_cannot_renew_the_lease(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    lost = desk.place
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.pick_up()
    desk.pass_ms(LEASE_MS - 1)
    desk.ledger.renew(desk.key, lost)
    desk.pass_ms(1)
    assert desk.arrive() is Verdict.ENQUEUE


def test_an_abandoned_request_is_taken_over_at_once(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.ledger.abandon(desk.key, desk.place)
    assert desk.arrive() is Verdict.ENQUEUE


def test_a_late_word_of_an_older_death_changes_nothing(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    dead = desk.place
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.pick_up()
    desk.ledger.abandon(desk.key, dead)
    assert desk.arrive() is Verdict.JOINED


def test_a_request_in_a_long_queue_is_not_enqueued_twice(desk: Desk) -> None:
    desk.arrive("earlier")
    desk.arrive()
    for _ in range(5):
        desk.pass_ms(LEASE_MS)
        assert desk.arrive() is Verdict.JOINED
    assert desk.redis.llen(INFERENCE) == 2


def test_a_message_that_a_dying_worker_took_with_it_is_replaced(desk: Desk) -> None:
    """Given that a later request has been started, this one cannot be in the queue any more."""
    desk.arrive()
    desk.redis.rpop(INFERENCE)
    desk.arrive("later")
    desk.pick_up()
    desk.arrive("latest")
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.ENQUEUE


def test_a_request_lost_from_an_empty_queue_is_replaced(desk: Desk) -> None:
    desk.arrive()
    desk.redis.delete(INFERENCE)
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.ENQUEUE


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
    assert desk.arrive() is Verdict.ENQUEUE


def test_a_resend_keeps_a_waiting_request_wanted(desk: Desk) -> None:
    desk.arrive()
    desk.pass_ms(9_000)
    assert desk.arrive() is Verdict.JOINED
    desk.pass_ms(9_000)
    assert desk.pick_up() is Permission.RUN


def test_an_image_that_kills_every_worker_is_given_up(desk: Desk) -> None:
    for _ in range(3):
        assert desk.arrive() is Verdict.ENQUEUE
        assert desk.pick_up() is Permission.RUN
        desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.EXHAUSTED


def test_the_first_result_stands(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    second = Result(Outcome.ANSWERED, "得", "handwriting/2", 5, 5, True, 0, 0, 1_700_000_001)
    desk.finish()
    desk.finish(second)
    assert desk.result() == RESULT


def test_a_failure_frees_the_uuid(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(FAILURE)
    assert desk.result() is None
    assert desk.arrive() is Verdict.ENQUEUE


def test_a_failure_of_a_worker_that_lost_its_request_is_not_told(desk: Desk) -> None:
    """Given that another worker runs the request meanwhile, its result may yet be good."""
    desk.arrive()
    desk.pick_up()
    lost = desk.place
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.pick_up()
    desk.ledger.finish(desk.key, lost, FAILURE)
    desk.finish()
    assert desk.result() == RESULT


def test_a_late_answer_of_a_worker_that_lost_its_request_counts(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    lost = desk.place
    desk.pass_ms(LEASE_MS)
    desk.arrive()
    desk.ledger.finish(desk.key, lost, RESULT)
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
        turn = desk.ledger.start(desk.key, desk.place, LEAST_MS)
        assert turn.permission is Permission.RUN
    assert desk.executions() == 1


def test_messages_from_before_a_loss_of_data_disturb_nothing(desk: Desk) -> None:
    """Given a worker with a high place in its hands when Redis comes back empty."""
    desk.redis.hset(LINE, "given", 1_000)
    desk.arrive("old")
    old, old_key = desk.place, desk.key
    desk.redis.flushall()
    desk.workers_are_ready()
    desk.arrive("earlier")
    desk.arrive()
    assert desk.ledger.start(old_key, old, LEAST_MS).permission is Permission.GONE
    desk.pass_ms(LEASE_MS)
    assert desk.arrive() is Verdict.JOINED


def test_a_full_redis_still_takes_results(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.redis.config_set("maxmemory", 1)
    try:
        desk.finish()
        assert desk.result() == RESULT
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


PARTIAL = dataclasses.replace(RESULT, members=2, whole=False, text="得")


def test_requests_with_one_image_share_its_execution(desk: Desk) -> None:
    assert desk.arrive("one", shared=True) is Verdict.ENQUEUE
    assert desk.arrive("two", shared=True) is Verdict.JOINED
    desk.pick_up()
    desk.finish()
    assert desk.arrive("three", shared=True) is Verdict.KEPT
    assert [desk.ledger.result(uuid) for uuid in ("one", "two", "three")] == [RESULT] * 3
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
    desk.ledger.abandon(desk.key, desk.place)
    assert desk.arrive("two", shared=True) is Verdict.ENQUEUE
    assert desk.arrive("one", shared=True) is Verdict.JOINED


def test_another_bundle_reads_an_image_anew_but_not_an_old_uuid(desk: Desk) -> None:
    desk.arrive("old", shared=True)
    desk.pick_up()
    desk.finish()
    desk.redis.set(BUNDLE, "handwriting/2")
    assert desk.arrive("new", shared=True) is Verdict.ENQUEUE
    assert desk.arrive("old", shared=True) is Verdict.KEPT


def test_in_a_full_line_nothing_new_is_begun(desk: Desk) -> None:
    desk.arrive("first")
    assert desk.arrive(longest_line=1) is Verdict.FULL
    assert desk.redis.llen(INFERENCE) == 1
    assert desk.arrive("first", longest_line=1) is Verdict.JOINED
    desk.pick_up()
    assert desk.arrive(ANOTHER, longest_line=1) is Verdict.ENQUEUE


def test_a_refused_uuid_is_free(desk: Desk) -> None:
    desk.arrive("first")
    desk.arrive(longest_line=1)
    assert desk.arrive(image=ANOTHER) is Verdict.ENQUEUE


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
    assert desk.arrive() is Verdict.ENQUEUE
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


def test_a_worker_is_told_how_many_wait_for_how_many(desk: Desk) -> None:
    desk.redis.zadd(WORKERS, {"worker-2": desk.now_ms, "dead": desk.now_ms - LEASE_MS - 1})
    for uuid in "abc":
        desk.arrive(uuid)
    desk.pick_up()
    assert (desk.turn.waiting, desk.turn.workers) == (2, 2)


def test_an_answer_of_all_takes_the_place_of_one_of_some(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish(PARTIAL)
    assert desk.result() == PARTIAL
    desk.finish(RESULT)
    assert desk.result() == RESULT
    desk.finish(dataclasses.replace(RESULT, text="another"))
    assert desk.result() == RESULT


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
    assert desk.completions() == [f"complete {desk.key}".encode()]
    desk.redis.delete(PARTIAL_QUEUE)
    desk.finish(PARTIAL)
    assert len(desk.completions()) == 1
    desk.redis.delete(PARTIAL_QUEUE)
    desk.finish(RESULT)
    assert desk.completions() == []


def test_the_oldest_of_too_many_completions_are_forgotten(desk: Desk) -> None:
    asked = []
    for uuid in "abc":
        desk.arrive(uuid)
        desk.pick_up()
        desk.finish(PARTIAL)
        asked.append(f"complete {desk.key}".encode())
    assert desk.completions() == asked[:0:-1]


def test_a_completed_answer_is_told_to_nobody_again(desk: Desk) -> None:
    with desk.redis.pubsub() as ears:
        ears.subscribe(FRONT)
        desk.arrive()
        desk.pick_up()
        desk.finish(PARTIAL)
        desk.finish(RESULT)
        heard = [Notice.parse(message["data"]) for message in messages(ears)]
    assert heard == [Notice(IMAGE + UUID, PARTIAL)]


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
    assert sorted(heard) == [(f"front-{n}", Notice(IMAGE + UUID, RESULT)) for n in (1, 2)]


def test_the_abandoned_are_told_to_look_again(desk: Desk) -> None:
    with desk.redis.pubsub() as ears:
        ears.subscribe(FRONT)
        desk.arrive()
        desk.pick_up()
        desk.ledger.abandon(desk.key, desk.place)
        heard = [Notice.parse(message["data"]) for message in messages(ears)]
    assert heard == [Notice(IMAGE + UUID, None)]


def test_entries_expire_by_themselves(desk: Desk) -> None:
    desk.arrive()
    assert desk.redis.pttl(desk.key) > 0
    assert desk.redis.pttl(request(UUID)) > 0
    assert int(desk.redis.hget(LINE, "given") or 0) == desk.place


def test_the_clocks_are_counted_from_arrival() -> None:
    assert Deadlines.after(1_000, wait_ms=900, useful_for_ms=3_000, drop_after_ms=10_000) == (
        1_900,
        4_000,
        11_000,
    )


def test_a_patient_caller_moves_all_three_clocks() -> None:
    assert Deadlines.after(0, wait_ms=30_000, useful_for_ms=3_000, drop_after_ms=10_000) == (
        30_000,
        30_000,
        30_000,
    )
