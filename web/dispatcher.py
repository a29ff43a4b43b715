"""The dispatcher: brings one request to its answer before its clock runs out."""

from __future__ import annotations

import math
from typing import NamedTuple

from gevent import Timeout
from redis import RedisError
from redis.exceptions import ResponseError

from web.bill import Bill, quota_exceeded, rate_limited
from web.listener import Listener, Waiter
from web.outage import Outages, problem_of
from web.problems import (
    AnswerLate,
    EngineFailed,
    LineFull,
    QueueReadOnly,
    RedisAway,
    UuidConflict,
    WorkersAway,
)
from web.reply import Answer, Source
from web.settings import WebSettings
from web.status import LatestStatus
from web.turnstile import SMALL_BYTES, Turnstile
from web.wire import InferenceRequest
from workers.contract.clock import Clock, Deadlines
from workers.contract.ledger import Admission, Ledger, Name, Room, Verdict
from workers.contract.readiness import Status

# The last look into the ledger leaves itself the time to reply.
_LAST_LOOK_MS = 25

# A line is not let grow to the last moment: what is known of the workers' rate is a moment old.
_RESERVE_MS = 225

# So many may wait whatever is believed of the rate, or a wrong belief could never be corrected.
_ALWAYS_PER_WORKER = 2


# Of workers of which nothing is known.
_NEVER_US = 1e12


_SOURCES = {
    Verdict.ENQUEUED: Source.COMPUTED,
    Verdict.JOINED: Source.JOINED,
    Verdict.KEPT: Source.KEPT,
}


class _Asked(NamedTuple):
    """A request on its way; requests of one ``subject`` share an execution.

    ``bill``: what it is charged, while there are accounts.
    """

    name: Name
    request: InferenceRequest
    subject: str
    deadlines: Deadlines
    bill: Bill | None


def room(status: Status, settings: WebSettings, wait_ms: int) -> Room:
    """What may go before a request so that one member's answer would still be on time."""
    patient = wait_ms > settings.answer_within_ms
    return Room(
        within_ms=wait_ms - _RESERVE_MS,
        always=_ALWAYS_PER_WORKER * status.workers,
        message_us=1_000_000 / status.rate.images if status.rate.images else _NEVER_US,
        byte_ns=1_000_000_000 / status.rate.image_bytes if status.rate.image_bytes else 0,
        messages=settings.max_queue,
        # The last quarter is not for those who can come again later.
        image_bytes=settings.max_queue_bytes * (3 if patient else 4) // 4,
    )


class Dispatcher:
    """Admits, waits, and looks again."""

    def __init__(
        self,
        ledger: Ledger,
        listener: Listener,
        latest: LatestStatus,
        outages: Outages,
        turnstile: Turnstile,
        settings: WebSettings,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._listener = listener
        self._latest = latest
        self._outages = outages
        self._turnstile = turnstile
        self._clock = clock

    def answer(
        self,
        algorithm: str,
        request: InferenceRequest,
        deadlines: Deadlines,
        bill: Bill | None = None,
    ) -> Answer:
        """What came of it, computed once whatever number of copies arrive.

        Raises:
            Problem: any of those this module imports; ``AnswerLate`` at ``answer_by_ms``.
        """
        self._latest.require_redis()
        name = Name(algorithm, request.uuid, bill.account.name if bill else "")
        subject = self._subject(request, name)
        asked = _Asked(name, request, subject, deadlines, bill)
        left_ms = max(_LAST_LOOK_MS, deadlines.answer_by_ms - self._clock())
        try:
            # The clock holds whatever hangs: a silent Redis, the queue for its connections.
            with (
                Timeout(left_ms / 1000, AnswerLate()),
                self._listener.waiter(algorithm, subject) as waiter,
            ):
                return self._wait(asked, waiter)
        except RedisError as error:
            raise self._outages.note(error) from error
        except AnswerLate:
            # If it is Redis that hangs, say so.
            self._latest.require_redis()
            raise

    def _wait(self, asked: _Asked, waiter: Waiter) -> Answer:
        """Wait to be told, and look again whenever a lease may have run out."""
        last_look_ms = asked.deadlines.answer_by_ms - _LAST_LOOK_MS
        source: Source | None = None
        while True:
            admission = self._admit(asked, waits=source is not None)
            self._turnstile.is_in()
            source = source or _SOURCES[admission.verdict]
            result = admission.result
            if result is None:
                until_ms = min(last_look_ms, admission.look_again_ms)
                wait_s = max(0, until_ms - self._clock()) / 1000
                result = waiter.wait(admission.line, wait_s)
            if result is None and self._clock() >= last_look_ms:
                # Whatever the subscription missed is in the ledger.
                result = self._ledger.result(asked.name)
                if result is None:
                    raise AnswerLate
            if result is not None:
                return Answer(result, source)

    def _admit(self, asked: _Asked, *, waits: bool) -> Admission:
        """Ask the ledger what the request is, which puts it in line if it is new."""
        # Large images are sent when they are wanted: most copies and refusals need none.
        request = asked.request
        small = request.size <= SMALL_BYTES
        admission = self._ask(asked, request.image if small else None)
        if admission.image_wanted and request.image is not None and not small:
            admission = self._ask(asked, request.image)
        match admission.verdict:
            case Verdict.LIMITED if admission.standing:
                raise rate_limited(admission.standing)
            case Verdict.EXCEEDED:
                raise quota_exceeded(self._clock())
            case Verdict.CONFLICT:
                raise UuidConflict
            case Verdict.EXHAUSTED:
                raise EngineFailed(
                    "Every worker that tried this image died, or it took too much time or memory. "
                    "It is given up for about a minute: check it before you send it again."
                )
            case Verdict.UNREADY if not waits:
                # Who waits already goes on waiting when the worker dies: one may come back.
                self._latest.require_writing()
                raise WorkersAway
            case Verdict.FULL if not waits:
                raise LineFull(self._seconds_to_work_off(asked.name.algorithm, admission.before))
            case Verdict.IMAGE:
                raise RedisAway("Redis has lost what it knew. Send the same request again.")
        request.image = None
        return admission

    def _ask(self, asked: _Asked, image: bytes | None) -> Admission:
        request, deadlines, bill = asked.request, asked.deadlines, asked.bill
        try:
            admission = self._ledger.admit(
                asked.name,
                request.fingerprint,
                asked.subject,
                deadlines,
                self._listener.channel,
                room(
                    self._latest.status(asked.name.algorithm),
                    self._settings,
                    deadlines.answer_by_ms - self._clock(),
                ),
                image,
                request.size,
                request.trace,
                bill.charge if bill else None,
            )
        except ResponseError as error:
            # To admit is to write, but to find a conflict is not. So what is kept under this uuid,
            # and can be read from a Redis that takes nothing new, is of this image.
            result = None
            if isinstance(problem_of(error), QueueReadOnly):
                result = self._ledger.result(asked.name)
            if result is None:
                raise
            return Admission(Verdict.KEPT, result)
        if bill and admission.standing:
            bill.note(admission.standing)
        return admission

    def _subject(self, request: InferenceRequest, name: Name) -> str:
        """What shares one execution: the image, or without the prediction cache the uuid too."""
        if self._settings.prediction_cache:
            return request.fingerprint
        return f"{request.fingerprint}{name.filed}"

    def _seconds_to_work_off(self, algorithm: str, before: int) -> int:
        rate = self._latest.status(algorithm).rate.images
        return max(1, math.ceil(before / rate)) if rate else 1
