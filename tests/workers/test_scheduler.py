"""The scheduler's rules, with a clock that is turned by hand."""

from __future__ import annotations

import pytest

from workers.contract.line import Permission, Turn
from workers.contract.result import Stop
from workers.pace import Pace
from workers.scheduler import WHILE_NOBODY_WAITS, Allowance, Scheduler

NOW_MS, BACKLOG_MS = 1_700_000_000_000, 600
MEMBER_US, MEMBERS = 7_000, 5


class Bench:
    """A worker process whose members take as long as they are told to."""

    def __init__(self, member_us: int = MEMBER_US, express_us: int | None = None) -> None:
        self.now_us = NOW_MS * 1000
        self.waiting = 0
        self.pace = Pace(member_us, express_us)
        self.member_us = member_us
        self.scheduler = Scheduler(self.pace, self.clock)

    def clock(self) -> int:
        return self.now_us // 1000

    def members_asked(
        self, *, waiting: int = 0, workers: int = 2, wait_ms: int = 900, waited_ms: int = 0
    ) -> int:
        """How many of five members an image gets behind which so many wait."""
        left_ms = max(0, BACKLOG_MS - waited_ms)
        turn = Turn(
            Permission.RUN,
            answer_by_ms=self.clock() + wait_ms,
            share_ms=int(left_ms / (waiting / workers + 1)),
            waiting=waiting,
        )
        allowance = self.scheduler.allowance([turn])
        asked = 0
        while True:
            asked += 1
            self.now_us += self.member_us
            self.pace.learn_member(self.member_us)
            if asked == MEMBERS or not allowance.permits(
                self.pace.member_us, self.clock(), lambda: self.waiting
            ):
                return asked


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_with_a_short_line_every_member_is_asked(bench: Bench) -> None:
    assert bench.members_asked(waiting=0) == 5
    assert bench.members_asked(waiting=10) == 5


def test_the_longer_the_line_the_fewer_members_down_to_one(bench: Bench) -> None:
    asked = [bench.members_asked(waiting=waiting) for waiting in (0, 20, 25, 35, 60, 5_000)]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] == 5
    assert 1 < asked[3] < 5
    assert asked[-1] == 1


def test_twice_the_workers_carry_twice_the_line(bench: Bench) -> None:
    assert bench.members_asked(waiting=40, workers=2) == bench.members_asked(waiting=80, workers=4)


def work_off(bench: Bench, waiting: int) -> tuple[int, int]:
    """A burst on one worker: after how many milliseconds the last is done, and its members."""
    began_ms = bench.clock()
    while True:
        asked = bench.members_asked(
            waiting=waiting,
            workers=1,
            wait_ms=began_ms + 900 - bench.clock(),
            waited_ms=bench.clock() - began_ms,
        )
        bench.now_us += 2_500
        if waiting == 0:
            return bench.clock() - began_ms, asked
        waiting -= 1


@pytest.mark.parametrize("burst", [5, 20, 40, 55])
def test_a_burst_is_worked_off_in_its_time(bench: Bench, burst: int) -> None:
    took_ms, last = work_off(bench, burst)
    assert took_ms <= BACKLOG_MS + 5 * MEMBER_US // 1000
    assert last == 5


def test_who_has_waited_long_is_asked_one_member_only_if_others_wait_too(bench: Bench) -> None:
    assert bench.members_asked(waiting=3, waited_ms=BACKLOG_MS) == 1
    assert bench.members_asked(waiting=0, waited_ms=BACKLOG_MS) == 5


def test_no_member_begins_that_would_end_too_late_for_the_caller(bench: Bench) -> None:
    assert bench.members_asked(wait_ms=35 + 7 * 3) == 3
    assert bench.members_asked(wait_ms=35 + 7) == 1


def test_what_is_late_for_its_caller_is_read_whole_while_nobody_waits(bench: Bench) -> None:
    assert bench.members_asked(wait_ms=10) == 5
    bench.waiting = 1
    assert bench.members_asked(wait_ms=10) == 1


def test_a_worker_slowed_tenfold_asks_fewer_members_at_once(bench: Bench) -> None:
    bench.member_us = 10 * MEMBER_US
    for _ in range(4):
        bench.members_asked(waiting=0)
    assert bench.members_asked(waiting=8) < 5
    assert bench.pace.rate.images < 20
    bench.member_us = MEMBER_US
    for _ in range(20):
        bench.members_asked(waiting=0)
    assert bench.members_asked(waiting=8) == 5


def test_a_cheap_ensemble_carries_a_longer_line() -> None:
    assert Bench(1_500).members_asked(waiting=60) > Bench(7_000).members_asked(waiting=60)


def test_what_surrounds_the_members_counts_too(bench: Bench) -> None:
    before = bench.pace.rate, bench.members_asked(waiting=20)
    for _ in range(300):
        bench.pace.learn_overhead(20_000)
    assert bench.pace.rate < before[0]
    assert bench.members_asked(waiting=20) < before[1]
    assert bench.pace.least_us(1) >= 27_000


def test_what_a_byte_costs_is_learnt_from_large_images_alone(bench: Bench) -> None:
    believed = bench.pace.byte_ns
    bench.pace.learn_bytes(1_000, 5_000)
    assert bench.pace.byte_ns == believed
    for _ in range(40):
        bench.pace.learn_bytes(1_000_000, 100_000)
    assert 90 < bench.pace.byte_ns <= 100
    assert 1e7 <= bench.pace.rate.image_bytes < 1.2e7


def test_one_hiccup_is_not_believed(bench: Bench) -> None:
    bench.pace.learn_member(100_000)
    assert bench.members_asked(waiting=0) == 5


@pytest.mark.parametrize(
    ("wait_ms", "share_ms", "waiting", "bound"),
    [
        (900, 0, 0, Stop.TIME),
        (900, 100, 3, Stop.LINE),
        (100, 900, 3, Stop.TIME),
        (10, 900, 3, Stop.LINE),
    ],
)
def test_it_is_known_what_ends_an_allowance(
    bench: Bench, wait_ms: int, share_ms: int, waiting: int, bound: Stop
) -> None:
    """The last one is late for its caller, so that it goes on while nobody waits."""
    turn = Turn(Permission.RUN, b"", 0, bench.clock() + wait_ms, share_ms, waiting)
    assert bench.scheduler.allowance([turn]).bound is bound


def test_without_a_clock_members_run_while_nobody_waits() -> None:
    assert WHILE_NOBODY_WAITS.permits(7_000, NOW_MS, lambda: 0)
    assert not WHILE_NOBODY_WAITS.permits(7_000, NOW_MS, lambda: 1)


def test_with_a_clock_the_line_is_not_asked_again() -> None:
    def never() -> int:
        raise AssertionError

    assert Allowance(NOW_MS + 7).permits(7_000, NOW_MS, never)
    assert not Allowance(NOW_MS + 6).permits(7_000, NOW_MS, never)


@pytest.mark.parametrize(
    ("wait_ms", "share_ms", "waiting", "express"),
    [
        (900, 100, 3, False),
        (900, 8, 50, True),
        (900, 0, 500, True),
        (35 + 8, 900, 0, False),
        (35 + 5, 900, 0, True),
    ],
)
def test_the_express_member_is_asked_where_not_even_one_fits(
    wait_ms: int, share_ms: int, waiting: int, express: bool
) -> None:
    """Given 7 ms for a member and 3 for the express one."""
    bench = Bench(express_us=3_000)
    turn = Turn(Permission.RUN, b"", 0, bench.clock() + wait_ms, share_ms, waiting)
    assert bench.scheduler.allowance([turn]).express is express
    assert not Bench().scheduler.allowance([turn]).express


def test_who_has_no_time_even_for_the_express_member_is_read_whole_while_nobody_waits() -> None:
    bench = Bench(express_us=3_000)
    turn = Turn(Permission.RUN, b"", 0, bench.clock() + 37, 900, 3)
    assert bench.scheduler.allowance([turn]) is WHILE_NOBODY_WAITS


def test_with_an_express_member_more_can_be_answered() -> None:
    with_it, without = Bench(express_us=3_000).pace, Bench().pace
    assert with_it.rate.images / without.rate.images == pytest.approx(9_500 / 5_500)
    assert without.least_us(1) - with_it.least_us(1) == 4_000


def test_an_express_member_that_is_none_any_more_is_not_asked() -> None:
    bench = Bench(express_us=3_000)
    for _ in range(40):
        bench.pace.learn_express(2 * MEMBER_US)
    turn = Turn(Permission.RUN, b"", 0, bench.clock() + 900, 0, 500)
    assert not bench.scheduler.allowance([turn]).express
    assert bench.pace.rate == Bench().pace.rate


def bunched(bunch_us: int = 4_000, express_us: int | None = None) -> Bench:
    """Four images that are read together take 16 ms with the first member, 28 one by one."""
    bench = Bench(express_us=express_us)
    bench.pace.bunch_us, bench.pace._most = float(bunch_us), 4
    bench.pace._bunch_share = bunch_us / MEMBER_US
    return bench


def turns(bench: Bench, *answer_in_ms: int, share_ms: int = 0, waiting: int = 50) -> list[Turn]:
    now_ms = bench.clock()
    return [Turn(Permission.RUN, b"", 0, now_ms + each, share_ms, waiting) for each in answer_in_ms]


def test_those_that_are_read_together_have_the_time_of_all_of_them() -> None:
    bench = bunched()
    bench.pace.overhead_us = 1_000
    allowance = bench.scheduler.allowance(turns(bench, 900, 900, 900, 900, share_ms=10))
    assert allowance == Allowance(bench.clock() + 4 * 9, Stop.LINE)


def test_those_that_are_read_together_end_in_time_for_the_first_caller_who_can_have_it() -> None:
    bench = bunched()
    together = turns(bench, 900, 300, 45, 900, share_ms=900)
    assert bench.scheduler.allowance(together) == Allowance(bench.clock() + 265, Stop.TIME)
    late = turns(bench, 45, 45, 45, 45, share_ms=900)
    assert bench.scheduler.allowance(late) is WHILE_NOBODY_WAITS


@pytest.mark.parametrize(("express_us", "express"), [(None, False), (3_000, True), (5_000, False)])
def test_instead_of_several_together_the_express_member_reads_them_if_it_takes_less(
    express_us: int | None, express: bool
) -> None:
    bench = bunched(express_us=express_us)
    allowance = bench.scheduler.allowance(turns(bench, 900, 900, 900, 900))
    assert allowance.express is express


def test_where_several_are_read_together_more_can_be_answered() -> None:
    bench = bunched()
    assert bench.pace.most == 4
    assert bench.pace.rate.images == pytest.approx(1e6 / 6_500)
    assert bench.pace.least_us(4) == 35_000 + 4 * 6_500
    assert bench.pace.least_us(1) == Bench().pace.least_us(1)
    for _ in range(40):
        bench.pace.learn_bunch(2 * MEMBER_US)
    assert bench.pace.most == 1
    assert bench.pace.rate == Bench().pace.rate


def test_a_process_that_stood_still_for_a_minute_is_believed_to_be_a_little_slower() -> None:
    bench = bunched(express_us=3_000)
    believed = vars(bench.pace).copy()
    bench.pace.learn_member(60e6)
    bench.pace.learn_express(60e6)
    bench.pace.learn_bunch(60e6)
    bench.pace.learn_overhead(60e6)
    bench.pace.learn_bytes(100_000, 60e6)
    for what in ("member_us", "express_us", "bunch_us", "overhead_us", "byte_ns"):
        assert believed[what] < vars(bench.pace)[what] < 1.5 * believed[what]


def test_what_was_slow_for_a_moment_is_tried_again() -> None:
    bench = bunched(express_us=3_000)
    for _ in range(9):
        bench.pace.learn_bunch(60e6)
        bench.pace.learn_express(60e6)
    turn = Turn(Permission.RUN, b"", 0, bench.clock() + 900, 0, 500)
    assert bench.pace.most == 1
    assert not bench.scheduler.allowance([turn]).express
    for _ in range(200):
        bench.pace.learn_member(MEMBER_US)
    assert bench.pace.most == 4
    assert bench.scheduler.allowance([turn]).express


@pytest.mark.parametrize("asked", ["learn_bunch", "learn_express"])
def test_while_only_what_is_cheaper_is_asked_a_member_is_not_believed_to_be_slow_for_ever(
    asked: str,
) -> None:
    bench = bunched(express_us=4_000)
    for _ in range(9):
        bench.pace.learn_member(60e6)
    for _ in range(400):
        getattr(bench.pace, asked)(4_000)
    assert bench.pace.member_us == pytest.approx(MEMBER_US, rel=0.05)
