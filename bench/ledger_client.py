"""What a front, Celery and a worker process say to Redis, in one process that computes nothing."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from typing import Any

from bench.errors import BenchError
from web.dispatcher import room
from web.settings import WebSettings
from workers.contract import keys
from workers.contract.clock import Deadlines, wall_clock_ms
from workers.contract.connection import patient
from workers.contract.ledger import Ledger, Name
from workers.contract.line import Line, Permission, Rate
from workers.contract.message import ReadRequest
from workers.contract.readiness import Readiness
from workers.contract.result import Alternative, Outcome, Result, Stop

LINE = "nothing/1"
ALGORITHM = keys.algorithm_of(LINE)
# As long as what a worker says of an image.
_ANSWERED = Result(
    *(Outcome.ANSWERED, "德", LINE, 5, 5, True, 12, 45_678, 1_790_000_000),
    stopped=Stop.ALL,
    worker="a-host-of-this-length:12345",
    digest=hashlib.sha256().hexdigest(),
    confidence=0.9876,
    alternatives=(Alternative("美", 0.0123),) * 3,
    ended_ms=1_790_000_000_000,
)
_RATE = Rate(1_000_000, 0)
_KEPT = 100
_WAIT_S = 5


def work(url: str, what: str, amount: int, seconds: float) -> int:
    """Do one thing, named as a method of ``Client``, again and again; how often that was.

    ``amount``: bytes of an image, or worker processes, as that method says.
    """
    client = Client(url)
    do = getattr(client, what)
    count, until_s = 0, time.monotonic() + seconds
    while time.monotonic() < until_s:
        do(amount, count)
        count += 1
    return count


class Client:
    """One connection for steps, and one for what is published, as a front has them."""

    def __init__(self, url: str) -> None:
        # Nobody dies here, so that beats need not be frequent.
        settings = WebSettings(redis_url=url, lease_ms=60_000, ready_within_ms=60_000)
        self._settings, self._redis = settings, patient(settings)
        self._ledger = Ledger(self._redis, settings)
        self._line = Line(LINE, self._redis, settings)
        self._readiness = Readiness(self._redis, settings)
        self._name = uuid.uuid4().hex
        self._channel = keys.front(self._name)
        self._queues = [keys.of(LINE, key) for key in (keys.INFERENCE, keys.LATE, keys.PARTIAL)]
        self._subscription = self._redis.pubsub()
        self._subscription.subscribe(self._channel)
        self._hear()
        self._line.beat(self._name, _RATE, takes_default=False)
        self._line.probed()
        self._status = self._readiness.overview().statuses[ALGORITHM]

    def new(self, size: int, number: int) -> None:
        """A request with an image of so many bytes, through to its answer."""
        self._admit(f"{self._name}{number}", os.urandom(16).ljust(size, b"."))
        self._take()
        self._hear()

    def kept(self, size: int, number: int) -> None:
        """One of a hundred requests that are answered already, once they are."""
        image = f"{self._name}{number % _KEPT}".encode().ljust(size, b".")
        if self._admit(f"{self._name}{number}", image):
            self._take()
            self._hear()

    def beat(self, processes: int, number: int) -> None:
        """One of so many worker processes tells that it lives."""
        self._line.beat(f"a-host-of-this-length:{number % processes}", _RATE, takes_default=False)

    def look(self, processes: int, _number: int) -> None:
        """A front process looks how things are, with at least so many worker processes there."""
        for number in range(self._status.workers, processes):
            self.beat(processes, number)
        self._status = self._readiness.overview().statuses[ALGORITHM]

    def _admit(self, name: str, image: bytes) -> bool:
        """A front asks; whether it has to wait for the answer."""
        settings, fingerprint = self._settings, hashlib.sha256(image).hexdigest()
        wait_ms = settings.answer_within_ms
        deadlines = Deadlines.after(
            wall_clock_ms(),
            due_in_ms=settings.backlog_ms,
            wait_ms=wait_ms,
            useful_for_ms=settings.useful_for_ms,
            drop_after_ms=settings.drop_after_ms,
        )
        admission = self._ledger.admit(
            *(Name(ALGORITHM, name), fingerprint, fingerprint, deadlines, self._channel),
            *(room(self._status, settings, wait_ms), image, len(image)),
        )
        if not admission.line and admission.result is None:
            raise BenchError(f"the ledger says {admission.verdict}")
        return admission.result is None

    def _take(self) -> None:
        """A worker takes a message, which may be another client's, and answers it."""
        taken: Any = self._redis.brpop(self._queues, _WAIT_S)
        if taken is None:
            raise BenchError("a message did not come")
        request = ReadRequest.parse(taken[1])
        (turn,) = self._line.start([request], 0, 0)
        if turn.permission is Permission.RUN:
            self._line.finish([(request, _ANSWERED)])

    def _hear(self) -> None:
        """The front is told of the answer."""
        if self._subscription.get_message(timeout=_WAIT_S) is None:
            raise BenchError("an answer was not published")
