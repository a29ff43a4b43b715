"""The ledger: one entry in Redis for every image, from its first request until it is forgotten.

Each step is one Lua script, so that an image is executed at most once however many requests for it
arrive at however many fronts. An entry is absent, queued, running, late or finished; docs/DESIGN.md
draws it. Queued and running entries carry a lease. When it runs out, whoever asks next takes over.

A uuid belongs to one entry. Whether requests with the same image but other uuids share an entry is
up to the fronts: they name the subject of a request.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock, Deadlines
from workers.contract.queue import INFERENCE, PARTIAL
from workers.contract.result import Outcome, Result
from workers.contract.settings import QueueSettings

# How soon it is worth asking again whether a worker is ready.
_READY_AGAIN_MS = 250


class Verdict(StrEnum):
    """What an arriving request is."""

    KEPT = "kept"
    JOINED = "joined"
    ENQUEUE = "enqueue"
    CONFLICT = "conflict"
    UNREADY = "unready"
    EXHAUSTED = "exhausted"
    FULL = "full"


class Admission(NamedTuple):
    """The verdict, and with it what its kind has.

    ``result`` comes with KEPT, ``look_again_ms`` (an absolute time) with JOINED and ENQUEUE,
    ``place`` in line and ``image_key`` with ENQUEUE, ``waiting`` requests with FULL.
    """

    verdict: Verdict
    result: Result | None = None
    look_again_ms: int = 0
    place: int = 0
    image_key: str = ""
    waiting: int = 0


class Permission(StrEnum):
    """Whether a worker may execute the message in its hands, or why not."""

    RUN = "run"
    FINISHED = "finished"
    RUNNING = "running"
    LATE = "late"
    DROPPED = "dropped"
    GONE = "gone"


class Turn(NamedTuple):
    """The permission, and with RUN what to know for it.

    So many requests wait behind this one for so many worker processes; somebody wants the answer
    by ``answer_by_ms``, an absolute time.
    """

    permission: Permission
    waiting: int = 0
    workers: int = 1
    answer_by_ms: int = 0


class Notice(NamedTuple):
    """What a front is told of one image: a result, or without one that it should look again."""

    subject: str
    result: Result | None

    @classmethod
    def parse(cls, payload: bytes) -> Notice:
        """Read what finish.lua and abandon.lua publish."""
        image_key, _, result = payload.partition(b"\n")
        subject = keys.subject_of(image_key.decode())
        return cls(subject, Result.from_json(result) if result else None)


class Ledger:
    """The steps of a request. Every method raises ``redis.RedisError`` when Redis is away."""

    def __init__(self, redis: Redis, settings: QueueSettings, clock: Clock) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = clock
        self._admit, self._start, self._renew, self._finish, self._abandon = (
            redis.register_script((keys.LUA / f"{step}.lua").read_text())
            for step in ("admit", "start", "renew", "finish", "abandon")
        )

    def admit(
        self,
        uuid: str,
        fingerprint: str,
        subject: str,
        deadlines: Deadlines,
        front: str,
        longest_line: int,
    ) -> Admission:
        """A front asks what to do with a request.

        A re-send moves the deadlines of what is under way on: somebody still wants the answer.

        Args:
            uuid: the caller's.
            fingerprint: of the image.
            subject: requests of the same subject share one execution and its result.
            deadlines: of this copy.
            front: the channel on which the front is told.
            longest_line: so many waiting requests, or more, and nothing new is begun.
        """
        settings = self._settings
        now_ms = self._clock()
        verdict, *detail = self._admit(
            keys=[
                keys.request(uuid),
                keys.BUNDLE,
                keys.LINE,
                keys.WORKERS,
                keys.COMPLETED,
                INFERENCE,
            ],
            args=[
                now_ms,
                fingerprint,
                subject,
                keys.IMAGE_PREFIX,
                deadlines.answer_by_ms,
                deadlines.drop_after_ms,
                front,
                settings.lease_ms,
                settings.keep_for_ms,
                settings.ready_within_ms,
                settings.max_attempts,
                longest_line,
            ],
        )
        match Verdict(verdict.decode()):
            case Verdict.KEPT:
                return Admission(Verdict.KEPT, result=Result.from_json(detail[0]))
            case Verdict.JOINED:
                return Admission(Verdict.JOINED, look_again_ms=int(detail[0]))
            case Verdict.ENQUEUE:
                place, image_key = detail
                return Admission(
                    Verdict.ENQUEUE,
                    look_again_ms=now_ms + settings.lease_ms,
                    place=place,
                    image_key=image_key.decode(),
                )
            case Verdict.FULL:
                return Admission(
                    Verdict.FULL, look_again_ms=now_ms + _READY_AGAIN_MS, waiting=detail[0]
                )
            case refusal:
                return Admission(refusal, look_again_ms=now_ms + _READY_AGAIN_MS)

    def start(self, image_key: str, place: int, least_ms: int) -> Turn:
        """A worker asks whether to execute; with RUN the lease is its own.

        ``least_ms`` is how long an answer takes at the least. When that is too long for whoever
        waits for this one, others go first who can still be on time.
        """
        now_ms = self._clock()
        permission, *turn = self._start(
            keys=[image_key, keys.LINE, keys.COUNTS, INFERENCE, keys.WORKERS],
            args=[
                now_ms,
                place,
                self._settings.lease_ms,
                secrets.token_hex(8),
                now_ms + least_ms,
            ],
        )
        return Turn(Permission(permission.decode()), *turn)

    def waiting(self) -> int:
        """How many requests wait for a worker."""
        return int(self._redis.llen(INFERENCE))

    def renew(self, image_key: str, place: int) -> None:
        """A worker that still computes extends its lease."""
        lease_until_ms = self._clock() + self._settings.lease_ms
        self._renew(keys=[image_key], args=[place, lease_until_ms])

    def finish(self, image_key: str, place: int, result: Result, completion: str = "") -> None:
        """Store a result, late or not, and wake every front that waits for it.

        A failure is told and not kept: a re-send tries again. A partial answer gives way to a
        later one that is whole; it is told once.

        Args:
            image_key: of its entry.
            place: in line, of the message that was executed.
            result: what came of it.
            completion: with a partial answer, the message that asks for the whole one; the latest
                ``max_queue`` of them are kept.
        """
        keep_for_ms = 0 if result.outcome is Outcome.FAILED else self._settings.keep_for_ms
        self._finish(
            keys=[image_key, keys.COMPLETED, keys.COUNTS, PARTIAL],
            args=[
                self._clock(),
                result.to_json(),
                keep_for_ms,
                place,
                completion,
                self._settings.max_queue,
            ],
        )

    def abandon(self, image_key: str, place: int, *, for_good: bool = False) -> None:
        """A worker died with this request in its hands: the next who asks takes it over.

        ``for_good``: it was too much for one worker, and is not to cost another one.
        """
        attempts = self._settings.max_attempts if for_good else 0
        self._abandon(keys=[image_key], args=[place, attempts])

    def result(self, uuid: str) -> Result | None:
        """The result, if there is one."""
        image_key: Any = self._redis.get(keys.request(uuid))
        text = self._redis.hget(image_key.decode(), "result") if image_key else None
        return Result.from_json(text) if text else None
