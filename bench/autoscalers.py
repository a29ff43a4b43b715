"""Autoscalers: how many pods each would want, looked at as Kubernetes' own does."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

# Kubernetes looks this often, adds as many or so many at a time, and takes away what was too much
# at every look for so long. What is off by less than the tolerance stays.
EVERY_S = 15
_ADDS = 4
_STABLE_FOR_S = 300
_TOLERANCE = 0.1

# So old is what the metrics server tells of CPU.
_CPU_LOOKS_OLD = 1


class Look(NamedTuple):
    """What there is to see of a line at one moment.

    ``busy``: the sum of the pods' shares of the time since the last look in which they computed, 0
    to 1 each: a pod has a limit of one core. ``waiting``: messages. ``work_s``: what
    punctual_work_process_seconds says; None of no workers.
    """

    pods: int
    busy: float
    waiting: int
    work_s: float | None


class Policy(NamedTuple):
    """Pods that are wanted, as a number; the looks are the latest last."""

    name: str
    wanted: Callable[[deque[Look]], float]


def policies(most: int) -> list[Policy]:
    """Those that are compared; ``most``: pods there may be."""
    return [
        Policy("CPU, 70 %", lambda looks: _delayed(looks).busy / 0.7),
        Policy("list length, 5 a pod", lambda looks: looks[-1].waiting / 5),
        Policy("seconds of work, 0.5 a process", lambda looks: _work(looks[-1]) / 0.5),
        Policy("always on", lambda _: most),
    ]


def _delayed(looks: deque[Look]) -> Look:
    return looks[max(0, len(looks) - 1 - _CPU_LOOKS_OLD)]


def _work(look: Look) -> float:
    """Without an answer nothing changes."""
    return 0.5 * look.pods if look.work_s is None else look.work_s


class Autoscaler:
    """A policy, with the bounds that a HorizontalPodAutoscaler puts around it."""

    def __init__(self, policy: Policy, most: int) -> None:
        self._policy, self._most = policy, most
        self._looks: deque[Look] = deque(maxlen=_CPU_LOOKS_OLD + 1)
        self._wanted: deque[int] = deque(maxlen=_STABLE_FOR_S // EVERY_S)

    def pods(self, look: Look) -> int:
        """How many there are to be from now on, 1 at least."""
        self._looks.append(look)
        if not self._wanted:
            self._wanted.append(look.pods)
        wanted = self._policy.wanted(self._looks)
        if abs(wanted / look.pods - 1) <= _TOLERANCE:
            wanted = look.pods
        pods = min(max(1, math.ceil(wanted)), self._most)
        self._wanted.append(pods)
        if pods > look.pods:
            return min(pods, max(2 * look.pods, look.pods + _ADDS))
        return min(look.pods, max(self._wanted))
