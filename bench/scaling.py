"""Which autoscaler keeps callers on time? In virtual time, with the service's own rules.

An ensemble as slow as the one that this project began with, callers with a second and two re-sends.
Once 100 calls at the same moment; once a rush that begins at one moment and goes on; once a bank's
afternoon, quiet, with a rush towards half past three.
"""

from __future__ import annotations

import random
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from redis import Redis
from tqdm import tqdm

from bench.autoscalers import Autoscaler, Policy, policies
from bench.cluster import Cluster, History
from bench.load import Measured
from bench.own_redis import own_redis
from bench.plots import draw_lines
from bench.pod import Ensemble
from workers.contract.connection import patient
from workers.contract.settings import QueueSettings

HELP = "autoscalers on simulated days; needs no server"
KEYS = ("scenario",)
COMPARED: tuple[str, ...] = ()

# When the day's rate turns, in hours, and the share of the rush that comes then; linear in between.
_DAY = ((14.5, 0.04), (15.0, 0.04), (15.4, 1.0), (15.6, 1.0), (15.9, 0.04), (16.2, 0.04))
_MEMBERS = 5
_QUIET_FOR_S, _AT_ONCE_FOR_S, _STEP_FOR_S = 60.0, 180.0, 240.0


def add_arguments(parser: ArgumentParser) -> None:
    """The ensemble, the pods, the callers."""
    add = parser.add_argument
    add("--member-ms", type=float, default=140, help="of one of five members, on a pod's core")
    add("--start-s", type=float, default=30, help="until a new pod takes work")
    add("--most", type=int, default=20, help="pods there may be")
    add("--at-once", type=int, default=100, help="calls of the first scenario")
    add("--step", type=float, default=24, help="calls in a second of the second")
    add("--rush", type=float, default=8, help="calls in a second at half past three")
    add("--hours", type=float, default=_DAY[-1][0] - _DAY[0][0], help="of the day")


def measure(options: Namespace) -> dict[str, Measured]:
    """A row of each policy and scenario."""
    at_once = [_QUIET_FOR_S] * options.at_once
    step = [_QUIET_FOR_S + n / options.step for n in range(round(_STEP_FOR_S * options.step))]
    for_s = options.hours * 3600
    day = list(_arrivals(options.rush, for_s, options.seed))
    found = {}
    with own_redis() as url, tqdm(total=3 * len(policies(options.most))) as bar:
        redis = patient(QueueSettings(redis_url=url))
        for policy in policies(options.most):
            rows, series = [], {}
            for scenario, arrivals, lasts_s in (
                (f"{options.at_once} at once", at_once, _AT_ONCE_FOR_S),
                (f"{options.step:g}/s at once", step, _QUIET_FOR_S + _STEP_FOR_S),
                ("a day", day, for_s),
            ):
                history = _run(redis, policy, options, arrivals, lasts_s)
                rows.append({"scenario": scenario, **_row(history)})
                series[scenario] = history.pods
                bar.update()
            found[policy.name] = Measured(rows, {"pods": series, "arrivals": day})
    return found


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """The day: what came, and the pods that each policy had for it."""
    above, below = figure.subplots(2, 1, sharex=True)
    first = next(iter(measured.values()))
    minutes = [int(due_s // 60) for due_s in first.series["arrivals"]]
    per_s = [minutes.count(minute) / 60 for minute in range(max(minutes, default=0) + 1)]
    hours = [_DAY[0][0] + minute / 60 for minute in range(len(per_s))]
    draw_lines(above, {"calls": (hours, per_s)}, "", "in a second")
    lines = {
        name: (
            [_DAY[0][0] + at_s / 3600 for at_s, _ in each.series["pods"]["a day"]],
            [pods for _, pods in each.series["pods"]["a day"]],
        )
        for name, each in measured.items()
    }
    draw_lines(below, lines, "o'clock", "pods")


def _run(
    redis: Redis, policy: Policy, options: Namespace, arrivals: list[float], for_s: float
) -> History:
    always = policy.name == "always on"
    cluster = Cluster(
        redis,
        Autoscaler(policy, options.most),
        Ensemble(_MEMBERS, options.member_ms * 1000),
        start_s=options.start_s,
        pods=options.most if always else 1,
        seed=options.seed,
    )
    return cluster.run(arrivals, for_s)


def _row(history: History) -> dict[str, Any]:
    uuids = history.uuids
    answered = [each for each in uuids if each.answered]
    tries = sum(each.tries for each in uuids)
    return {
        "uuids": len(uuids),
        "on time %": 100 * len(answered) / len(uuids),
        "at the first try %": 100 * sum(each.tries == 1 for each in answered) / len(uuids),
        "refused calls %": 100 * sum(each.refused for each in uuids) / tries,
        "members": fmean([each.members for each in answered]) if answered else None,
        "most pods": max(pods for _, pods in history.pods),
        "pod hours": history.pod_hours,
    }


def _arrivals(rush: float, for_s: float, seed: int) -> Iterator[float]:
    """A Poisson process whose rate follows the day."""
    chance = random.Random(seed)  # noqa: S311
    at_s = 0.0
    while (at_s := at_s + chance.expovariate(rush)) < for_s:
        if chance.random() < _share(_DAY[0][0] + at_s / 3600):
            yield at_s


def _share(hour: float) -> float:
    for (before, low), (after, high) in pairwise(_DAY):
        if hour <= after:
            return low + (high - low) * (hour - before) / (after - before)
    return _DAY[-1][1]
