"""Autoscalers in virtual time, with the service's own rules in a real Redis."""

from __future__ import annotations

import random
from argparse import ArgumentParser
from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from bench import scaling
from bench.autoscalers import EVERY_S, Autoscaler, Look, Policy, policies
from bench.cluster import Cluster, History
from bench.pod import Ensemble
from bench.timeline import Timeline
from tests.redis_process import RedisProcess

POLICIES = {policy.name.split()[0]: policy for policy in policies(most=20)}


def simulate(
    redis: RedisProcess,
    policy: Policy,
    per_s: float,
    *,
    for_s: float,
    member_ms: float = 140,
) -> History:
    cluster = Cluster(
        redis.client,
        Autoscaler(policy, most=20),
        Ensemble(5, member_ms * 1000),
        start_s=30,
        pods=1,
        seed=0,
    )
    return cluster.run([number / per_s for number in range(round(for_s * per_s))], for_s)


def on_time(history: History) -> float:
    return sum(request.answered for request in history.uuids) / len(history.uuids)


def test_a_pod_alone_answers_what_it_can(redis: RedisProcess) -> None:
    """Once in two seconds all five members have their time; four in one do not."""
    calm = simulate(redis, POLICIES["always"], 0.5, for_s=60)
    assert on_time(calm) == 1
    assert {request.members for request in calm.uuids} == {5}
    alone = Policy("one", lambda _: 1)
    busy = simulate(redis, alone, 4, for_s=60)
    assert on_time(busy) > 0.95
    assert sum(request.members for request in busy.uuids) / len(busy.uuids) < 2.5
    drowned = simulate(redis, alone, 20, for_s=60)
    assert 0.2 < on_time(drowned) < 0.5
    assert sum(request.refused for request in drowned.uuids) > len(drowned.uuids) / 2


def test_seconds_of_work_bring_the_pods_that_a_rush_needs(redis: RedisProcess) -> None:
    by_work = simulate(redis, POLICIES["seconds"], 10, for_s=90, member_ms=350)
    by_cpu = simulate(redis, POLICIES["CPU,"], 10, for_s=90, member_ms=350)
    late_by_work, late_by_cpu = (
        sum(request.tries > 1 or not request.answered for request in history.uuids)
        for history in (by_work, by_cpu)
    )
    assert late_by_work < 0.8 * late_by_cpu
    # 10/s of 0.35 s each with one member, so that half of their time is left for more.
    assert max(pods for _, pods in by_work.pods) >= 10 * 0.35 / 0.5
    assert max(pods for _, pods in by_cpu.pods) < 10 * 0.35 / 0.5


def look(pods: int, busy: float = 0, waiting: int = 0, work_s: float | None = None) -> Look:
    return Look(pods, busy, waiting, work_s)


def test_cpu_is_blind_above_its_limit_and_looks_back() -> None:
    """Ten times too much work or a hundred times: every pod is busy, and that is all it sees."""
    scaler = Autoscaler(POLICIES["CPU,"], most=100)
    assert scaler.pods(look(10, busy=0)) == 10
    assert scaler.pods(look(10, busy=10)) == 10
    assert scaler.pods(look(10, busy=10)) == 15


def test_what_is_added_and_taken_away_is_bounded() -> None:
    scaler = Autoscaler(POLICIES["seconds"], most=20)
    assert scaler.pods(look(1, work_s=50)) == 5
    assert scaler.pods(look(5, work_s=50)) == 10
    assert scaler.pods(look(10, work_s=50)) == 20
    # A tenth more or less is nothing.
    assert scaler.pods(look(20, work_s=9.5)) == 20
    assert scaler.pods(look(20, work_s=None)) == 20
    for _ in range(300 // EVERY_S - 1):
        assert scaler.pods(look(20, work_s=0)) == 20
    assert scaler.pods(look(20, work_s=0)) == 1


def test_time_passes_only_from_one_event_to_the_next() -> None:
    timeline, seen = Timeline(), []
    timeline.after(5, lambda: seen.append(("once", timeline.now_s)))
    timeline.every(2, lambda: seen.append(("again", timeline.now_s)))
    timeline.run(for_s=0.006)
    assert seen == [("again", 0.002), ("again", 0.004), ("once", 0.005), ("again", 0.006)]


@pytest.fixture
def options() -> Callable[..., object]:
    parser = ArgumentParser()
    scaling.add_arguments(parser)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args


@pytest.mark.redis  # which the command starts by itself
def test_the_command_compares_all_on_both_days(options: Callable[..., object]) -> None:
    short = ["--hours", "0.005", "--rush", "5", "--at-once", "5", "--step", "0.1", "--most", "3"]
    found = scaling.measure(options(short))
    assert list(found) == [policy.name for policy in policies(3)]
    for each in found.values():
        assert [row["scenario"] for row in each.rows] == ["5 at once", "0.1/s at once", "a day"]
    assert found["always on"].rows[0]["on time %"] == 100
    assert found["always on"].rows[0]["most pods"] == 3
    scaling.draw(Figure(), found)


def test_the_day_has_its_rush_at_half_past_three() -> None:
    times = list(scaling._arrivals(rush=2, for_s=1.7 * 3600, seed=random.randrange(100)))
    part_of = [sum(1 for at_s in times if at_s // 360 == part) for part in range(17)]
    assert times == sorted(times)
    assert max(range(17), key=part_of.__getitem__) in (9, 10)
    assert part_of[0] < part_of[9] / 5
