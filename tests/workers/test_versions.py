"""Lines beside each other: versions of one algorithm, and several algorithms."""

from __future__ import annotations

import json

import pytest

from tests.conftest import AnyRedis
from tests.workers.test_ledger import ALGORITHM, NAME, NEXT, RESULT, UUID, Desk
from workers.contract import keys
from workers.contract.keys import of
from workers.contract.ledger import Name, Verdict
from workers.contract.line import Line, Permission, Rate
from workers.contract.message import ReadRequest
from workers.contract.readiness import Readiness
from workers.contract.settings import QueueSettings

ANOTHER_ALGORITHM = "forms"


@pytest.fixture
def desk(any_redis: AnyRedis) -> Desk:
    return Desk(any_redis)


def next_line(desk: Desk) -> Line:
    return Line(NEXT, desk.redis, QueueSettings(lease_ms=1_000), desk.clock, desk.clock)


def messages(desk: Desk, line: str) -> list[str]:
    """The uuids that wait in a line's list."""
    queue = desk.redis.lrange(of(line, keys.INFERENCE), 0, -1)
    return [json.loads(message)["headers"]["id"] for message in queue]


def test_new_requests_go_to_what_was_promoted_and_old_ones_end_where_they_began(desk: Desk) -> None:
    desk.arrive("old")
    desk.pick_up()
    desk.promote(NEXT)
    assert desk.arrive("old") is Verdict.JOINED
    assert desk.admission.line == NAME
    assert desk.arrive("new") is Verdict.ENQUEUED
    assert desk.admission.line == NEXT
    assert messages(desk, NEXT) == ["new"]
    desk.finish()
    assert desk.arrive("old") is Verdict.KEPT
    assert desk.entry("old").startswith(f"{keys.ENTRY_PREFIX}{NAME}:")


def test_what_waits_in_a_line_that_lost_its_workers_goes_over_with_its_image(desk: Desk) -> None:
    desk.arrive("old")
    desk.promote(NEXT)
    desk.redis.delete(of(NAME, keys.WORKERS))
    desk.now_ms += 1_001
    desk.promote(NEXT)
    assert desk.arrive("old", send=False) is Verdict.ENQUEUED
    assert desk.admission.line == NEXT
    request = ReadRequest.parse(desk.redis.rpop(of(NEXT, keys.INFERENCE)))
    (turn,) = next_line(desk).start([request], 0, 0)
    assert turn.permission is Permission.RUN
    assert turn.image == b"a" * 64
    assert desk.images() == {"all": 64, NEXT: 64}


def test_a_result_of_the_line_that_was_left_is_not_filed_in_the_other_one(desk: Desk) -> None:
    desk.arrive("old")
    desk.pick_up()
    desk.promote(NEXT)
    desk.redis.delete(of(NAME, keys.WORKERS))
    desk.now_ms += 1_001
    desk.promote(NEXT)
    assert desk.arrive("old") is Verdict.ENQUEUED
    # The worker was not dead, but slow.
    desk.finish()
    assert desk.ledger.result(Name(ALGORITHM, "old")) is None
    request = ReadRequest.parse(desk.redis.rpop(of(NEXT, keys.INFERENCE)))
    (turn,) = next_line(desk).start([request], 0, 0)
    assert turn.permission is Permission.RUN
    answer = RESULT._replace(bundle=NEXT)
    next_line(desk).finish([(request, answer)])
    assert desk.ledger.result(Name(ALGORITHM, "old")) == answer


def test_a_message_of_a_request_that_went_over_is_gone_for_the_old_line(desk: Desk) -> None:
    desk.arrive("old")
    desk.promote(NEXT)
    desk.redis.delete(of(NAME, keys.WORKERS))
    desk.now_ms += 1_001
    desk.promote(NEXT)
    desk.arrive("old")
    assert desk.pick_up() is Permission.GONE


def test_one_uuid_under_two_algorithms_is_two_requests(desk: Desk) -> None:
    desk.arrive()
    desk.pick_up()
    desk.finish()
    names = [Name(ALGORITHM, UUID), Name(ANOTHER_ALGORITHM, UUID)]
    assert desk.ledger.known(names) == {Name(ALGORITHM, UUID)}
    assert desk.ledger.result(Name(ANOTHER_ALGORITHM, UUID)) is None


class Workers:
    """Lines whose workers beat, and what fronts make of it."""

    def __init__(self, any_redis: AnyRedis) -> None:
        self.now_ms = 1_700_000_000_000
        self.redis = any_redis.client
        self.settings = QueueSettings(lease_ms=1_000, ready_within_ms=3_000)
        self.readiness = Readiness(any_redis.client, self.settings, self.clock)

    def clock(self) -> int:
        return self.now_ms

    def beat(self, line: str, *, takes_default: bool = True) -> None:
        one = Line(line, self.redis, self.settings, self.clock, self.clock)
        one.beat("host:1", Rate(100, 1e9), takes_default=takes_default)

    def active(self) -> dict[str, str]:
        return {name: status.line for name, status in self.readiness.overview().statuses.items()}


@pytest.fixture
def workers(any_redis: AnyRedis) -> Workers:
    return Workers(any_redis)


def test_the_first_line_is_claimed_and_a_second_one_waits_until_it_has_gone(
    workers: Workers,
) -> None:
    workers.beat(NAME)
    workers.beat(NEXT)
    assert workers.active() == {ALGORITHM: NAME}
    workers.now_ms += 1_001
    workers.beat(NEXT)
    assert workers.active() == {ALGORITHM: NEXT}
    workers.beat(NAME)
    assert workers.active() == {ALGORITHM: NEXT}


def test_what_was_promoted_stays_active_for_a_minute_without_workers(workers: Workers) -> None:
    """Or whoever starts the next version in its place would wait for ever."""
    workers.beat(NEXT)
    workers.redis.hset(keys.PROMOTED, ALGORITHM, NEXT)
    workers.now_ms += 59_999
    workers.beat(NAME)
    assert workers.active() == {ALGORITHM: NEXT}
    workers.now_ms += 1
    workers.beat(NAME)
    assert workers.active() == {ALGORITHM: NAME}
    workers.beat(NEXT)
    assert workers.active() == {ALGORITHM: NEXT}


def test_the_default_algorithm_is_of_workers_that_were_told_no_name(workers: Workers) -> None:
    workers.beat(f"{ANOTHER_ALGORITHM}/1", takes_default=False)
    assert workers.readiness.overview().default is None
    workers.beat(NAME)
    assert workers.readiness.overview().default == ALGORITHM
    workers.now_ms += 1_001
    workers.beat(f"{ANOTHER_ALGORITHM}/1", takes_default=False)
    assert workers.readiness.overview().default == ALGORITHM, (
        "its own calls fail, and no answer is another one's"
    )


def test_a_bundle_of_another_name_takes_the_default_when_the_old_one_has_gone(
    workers: Workers,
) -> None:
    workers.beat(NAME)
    workers.beat(f"{ANOTHER_ALGORITHM}/1")
    assert workers.readiness.default() == ALGORITHM
    workers.now_ms += 1_001
    workers.beat(f"{ANOTHER_ALGORITHM}/1")
    assert workers.readiness.default() == ANOTHER_ALGORITHM


def test_each_algorithm_is_ready_by_itself(workers: Workers) -> None:
    for line in (NAME, f"{ANOTHER_ALGORITHM}/1"):
        workers.beat(line)
    Line(NAME, workers.redis, workers.settings, workers.clock, workers.clock).probed()
    ready = {name: status.ready for name, status in workers.readiness.overview().statuses.items()}
    assert ready == {ALGORITHM: True, ANOTHER_ALGORITHM: False}
