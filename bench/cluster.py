"""A cluster in virtual time: callers, pods that start and stop, the service's own rules between.

Only callers and computing are made up. Who is admitted, in which order, with how many members, and
what is too late is decided by the product: its ledger in a real Redis, its scheduler, its measure
of demand.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from redis import Redis

from bench.autoscalers import EVERY_S, Autoscaler, Look
from bench.pod import Ensemble, Pod
from bench.timeline import Timeline
from web.demand import Demand
from web.dispatcher import room
from web.settings import WebSettings
from workers.contract.clock import Deadlines
from workers.contract.ledger import Ledger, Name, Verdict
from workers.contract.line import Line
from workers.contract.readiness import Readiness, Status
from workers.contract.result import Result

# Of the contest's callers: they send again when so much has passed without an answer.
_LIMIT_MS = 1_000
_TRIES = 3

_LOOK_EVERY_MS = 500
# Nobody dies here, so that beats need not be frequent.
_BEAT_EVERY_MS = 10_000
_ALIVE_FOR_MS = 60_000

_IMAGE = b"an image"


@dataclass
class Uuid:
    """One request of a caller: its tries, those that were refused, and how it ended."""

    name: str
    sent_ms: float = 0.0
    tries: int = 0
    refused: int = 0
    answered: bool = False
    members: int = 0


@dataclass
class History:
    """What happened: every uuid, and at each look of the autoscaler how many pods there were."""

    uuids: list[Uuid] = field(default_factory=list)
    pods: list[tuple[float, int]] = field(default_factory=list)

    @property
    def pod_hours(self) -> float:
        """What was paid for."""
        return sum(pods for _, pods in self.pods) * EVERY_S / 3600


class Cluster:
    """One line of one algorithm. A new pod takes work after ``start_s``; ``pods`` do at first."""

    def __init__(
        self,
        redis: Redis,
        autoscaler: Autoscaler,
        ensemble: Ensemble,
        *,
        start_s: float,
        pods: int,
        seed: int,
    ) -> None:
        self.history = History()
        self._redis, self._autoscaler, self._ensemble = redis, autoscaler, ensemble
        self._start_s = start_s
        self._timeline = Timeline()
        clock = self._timeline.clock
        self._chance = random.Random(seed)  # noqa: S311
        self._settings = WebSettings(lease_ms=_ALIVE_FOR_MS, ready_within_ms=_ALIVE_FOR_MS)
        self._algorithm = f"simulated-{uuid.uuid4().hex}"
        self._line = Line(f"{self._algorithm}/1", redis, self._settings, clock, clock)
        self._ledger = Ledger(redis, self._settings, clock, clock)
        self._readiness = Readiness(redis, self._settings, clock)
        self._demand = Demand(self._readiness, clock)
        self._pods: list[Pod] = []
        self._waiting: dict[str, Uuid] = {}
        for _ in range(pods):
            self._add().begin()
        self._beat()
        self._look()

    def run(self, arrivals_s: Iterable[float], for_s: float) -> History:
        """Callers come at these times; the end is when so much time has passed."""
        for due_s in arrivals_s:
            self._timeline.after(due_s * 1000, self._arrive)
        self._timeline.every(_LOOK_EVERY_MS, self._look)
        self._timeline.every(_BEAT_EVERY_MS, self._beat)
        self._timeline.every(EVERY_S * 1000, self._scale)
        self._timeline.run(for_s)
        return self.history

    def _arrive(self) -> None:
        request = Uuid(uuid.uuid4().hex)
        self.history.uuids.append(request)
        self._send(request)

    def _send(self, request: Uuid) -> None:
        """One copy, and what a front would do with it."""
        request.tries += 1
        request.sent_ms = self._timeline.now_ms
        self._timeline.after(_LIMIT_MS, lambda: self._give_up(request))
        settings, wait_ms = self._settings, self._settings.answer_within_ms
        deadlines = Deadlines.after(
            self._timeline.clock(),
            due_in_ms=settings.backlog_ms,
            wait_ms=wait_ms,
            useful_for_ms=settings.useful_for_ms,
            drop_after_ms=settings.drop_after_ms,
        )
        name, may_go_before = request.name, room(self._status, settings, wait_ms)
        admission = self._ledger.admit(
            *(Name(self._algorithm, name), name, name, deadlines, "front", may_go_before),
            *(_IMAGE, len(_IMAGE)),
        )
        if admission.result is not None:
            self._answer(request, admission.result)
        elif admission.verdict in (Verdict.ENQUEUED, Verdict.JOINED):
            self._waiting[name] = request
            if free := next((pod for pod in self._pods if pod.free), None):
                free.take()
        else:
            request.refused += 1
            if admission.verdict is Verdict.FULL:
                self._demand.refuse(self._algorithm)

    def _give_up(self, request: Uuid) -> None:
        """A caller's second is over."""
        self._waiting.pop(request.name, None)
        if not request.answered and request.tries < _TRIES:
            self._send(request)

    def _tell(self, name: str, result: Result) -> None:
        if request := self._waiting.pop(name, None):
            self._answer(request, result)

    def _answer(self, request: Uuid, result: Result) -> None:
        if self._timeline.now_ms - request.sent_ms <= self._settings.answer_within_ms:
            request.answered, request.members = True, result.members

    def _add(self) -> Pod:
        pod = Pod(
            *(self._redis, self._line, self._ensemble, self._timeline, self._chance),
            told=self._tell,
            gone=self._pods.remove,
        )
        self._pods.append(pod)
        return pod

    def _beat(self) -> None:
        """Of all pods; one of them has completed a probe."""
        for pod in self._pods:
            pod.beat()
        self._line.probed()

    def _look(self) -> None:
        overview = self._readiness.overview()
        self._status: Status = overview.statuses[self._algorithm]
        self._demand.look(overview)

    def _scale(self) -> None:
        staying = [pod for pod in self._pods if not pod.leaving]
        busy = sum(pod.busy_ms for pod in staying) / (EVERY_S * 1000)
        for pod in staying:
            pod.busy_ms = 0.0
        look = Look(
            pods=len(staying),
            busy=min(busy, len(staying)),
            waiting=self._status.queue_length,
            work_s=self._demand.process_seconds(self._status),
        )
        wanted = self._autoscaler.pods(look)
        for _ in range(wanted - len(staying)):
            self._timeline.after(self._start_s * 1000, self._add().begin)
        # As Kubernetes does: those that are not ready first, then the youngest.
        for pod in sorted(staying, key=lambda pod: not pod.ready)[wanted:]:
            pod.leave()
        self.history.pods.append((self._timeline.now_s, len(staying)))
