"""The ledger: one entry in Redis for every image, from its first request until it is forgotten.

Each step is one Lua script, so that an image is executed at most once however many requests for it
arrive at however many fronts. An entry is absent, queued, running, late or finished; docs/DESIGN.md
draws it. Queued and running entries carry a lease. When it runs out, whoever asks next takes over.

A uuid belongs to one entry. Whether requests with the same image but other uuids share an entry is
up to the fronts: they name the subject of a request.

Redis' clock is the only one that is looked at: what goes in and comes out are spans of time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock, Deadlines, wall_clock_ms
from workers.contract.message import read_message
from workers.contract.result import Outcome, Result
from workers.contract.scripts import Scripts
from workers.contract.settings import QueueSettings

# How soon it is worth asking again whether a worker is ready.
_READY_AGAIN_MS = 250


class Verdict(StrEnum):
    """What an arriving request is. IMAGE: that shows when the image is sent along."""

    KEPT = "kept"
    JOINED = "joined"
    ENQUEUED = "enqueued"
    CONFLICT = "conflict"
    UNREADY = "unready"
    EXHAUSTED = "exhausted"
    FULL = "full"
    IMAGE = "image"


class Admission(NamedTuple):
    """The verdict, and with it what its kind has.

    ``result`` comes with KEPT, ``look_again_ms`` (an absolute time) with JOINED and ENQUEUED,
    ``before`` with FULL: so many messages. ``image_wanted``: it would have helped to send it.
    """

    verdict: Verdict
    result: Result | None = None
    look_again_ms: int = 0
    before: int = 0
    image_wanted: bool = False


class Room(NamedTuple):
    """How much may go before a new request.

    Messages that all workers deal with in ``within_ms``, when each takes them ``message_us`` and
    ``byte_ns`` more for each byte of its image, or ``always`` so many; never more than
    ``messages``, and together with what waits behind them never more than ``image_bytes``.
    """

    within_ms: int
    always: int
    message_us: float
    byte_ns: float
    messages: int
    image_bytes: int


class Permission(StrEnum):
    """Whether a worker may execute the message in its hands, or why not."""

    RUN = "run"
    COMPLETE = "complete"
    FINISHED = "finished"
    RUNNING = "running"
    LATE = "late"
    DROPPED = "dropped"
    GONE = "gone"


class Turn(NamedTuple):
    """The permission, and with RUN what to know for it.

    ``image`` is the file, which has waited for ``waited_ms``. Somebody wants the answer by
    ``answer_by_ms``, an absolute time. So many others wait, and for them to be in time this one may
    take ``share_ms``. COMPLETE has the image alone.
    """

    permission: Permission
    image: bytes = b""
    waited_ms: int = 0
    answer_by_ms: int = 0
    share_ms: int = 0
    waiting: int = 0


class Entry(NamedTuple):
    """What is known of a request: absent, queued, running, late or finished, with its result."""

    state: str
    result: Result | None = None


class Notice(NamedTuple):
    """What a front is told of one image: a result, or without one that it should look again."""

    subject: str
    result: Result | None

    @classmethod
    def parse(cls, payload: bytes) -> Notice:
        """Read what finish.lua, abandon.lua and start.lua publish."""
        entry, _, result = payload.partition(b"\n")
        subject = keys.subject_of(entry.decode())
        return cls(subject, Result.from_json(result) if result else None)


class Ledger:
    """The steps of a request. Every method raises ``redis.RedisError`` when Redis is away."""

    def __init__(
        self,
        redis: Redis,
        settings: QueueSettings,
        clock: Clock = wall_clock_ms,
        redis_clock: Clock | None = None,
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = clock
        scripts = Scripts(redis, settings.lease_ms, redis_clock)
        self._admit, self._start, self._renew, self._finish, self._abandon = map(
            scripts.load, ("admit", "start", "renew", "finish", "abandon")
        )

    def admit(
        self,
        uuid: str,
        fingerprint: str,
        subject: str,
        deadlines: Deadlines,
        front: str,
        room: Room,
        image: bytes | None,
        size: int,
    ) -> Admission:
        """A front asks what a request is; a new one is put in line in the same step.

        A re-send moves the deadlines of what is under way on: somebody still wants the answer.

        Args:
            uuid: the caller's.
            fingerprint: of the image.
            subject: requests of the same subject share one execution and its result.
            deadlines: of this copy.
            front: the channel on which the front is told.
            room: how much may go before it.
            image: the file. None: it is only sent when the verdict wants it.
            size: of the image, in bytes.
        """
        settings = self._settings
        now_ms = self._clock()
        verdict, *detail = self._admit(
            keys.request(uuid),
            fingerprint,
            subject,
            front,
            read_message(uuid, secrets.token_hex(8)),
            image or b"",
            int(image is not None),
            size,
            *deadlines.spans(now_ms),
            settings.keep_for_ms,
            settings.ready_within_ms,
            settings.max_attempts,
            room.messages,
            room.image_bytes,
            room.within_ms,
            room.always,
            room.message_us,
            room.byte_ns,
        )
        match Verdict(verdict.decode()):
            case Verdict.KEPT:
                text, wanted = detail
                result = Result.from_json(text)
                return Admission(Verdict.KEPT, result=result, image_wanted=bool(wanted))
            case Verdict.JOINED:
                return Admission(Verdict.JOINED, look_again_ms=now_ms + detail[0])
            case Verdict.ENQUEUED:
                return Admission(Verdict.ENQUEUED, look_again_ms=now_ms + settings.lease_ms)
            case Verdict.IMAGE:
                return Admission(Verdict.IMAGE, image_wanted=True)
            case Verdict.FULL:
                return Admission(
                    Verdict.FULL, look_again_ms=now_ms + _READY_AGAIN_MS, before=detail[0]
                )
            case refusal:
                return Admission(refusal, look_again_ms=now_ms + _READY_AGAIN_MS)

    def known(self, uuids: Sequence[str]) -> set[str]:
        """Those of the uuids for which something is kept or under way."""
        found: Any = self._redis.mget([keys.request(uuid) for uuid in uuids])
        return {uuid for uuid, image in zip(uuids, found, strict=True) if image is not None}

    def start(self, uuid: str, ticket: str, least_us: float, byte_ns: float) -> Turn:
        """A worker asks whether to execute; with RUN it gets the image, and the lease is its own.

        An answer takes ``least_us`` at the least, and ``byte_ns`` more for each byte. When that is
        too long for whoever waits for this one, others go first who can still be on time.
        """
        now_ms = self._clock()
        permission, *turn = self._start(
            keys.request(uuid),
            ticket,
            secrets.token_hex(8),
            least_us,
            byte_ns,
            self._settings.max_queue,
        )
        match Permission(permission.decode()):
            case Permission.RUN:
                image, waited_ms, answer_in_ms, share_ms, waiting = turn
                return Turn(
                    Permission.RUN, image, waited_ms, now_ms + answer_in_ms, share_ms, waiting
                )
            case refusal_or_complete:
                return Turn(refusal_or_complete, *turn)

    def waiting(self) -> int:
        """How many requests wait for a worker."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.llen(keys.INFERENCE)
            pipeline.zcard(keys.LINE)
            return sum(pipeline.execute())

    def renew(self, uuid: str, ticket: str) -> None:
        """A worker that still computes extends its lease."""
        self._renew(keys.request(uuid), ticket)

    def finish(self, uuid: str, ticket: str, result: Result) -> None:
        """Store a result, late or not, and wake every front that waits for it.

        A failure is told and not kept: a re-send tries again. A partial answer asks for one that is
        whole, to which it gives way; it is told once.

        Args:
            uuid: of the message that was executed.
            ticket: of that message.
            result: what came of it.
        """
        keep_for_ms = 0 if result.outcome is Outcome.FAILED else self._settings.keep_for_ms
        self._finish(
            keys.request(uuid),
            ticket,
            result.to_json(),
            keep_for_ms,
            result.members,
            int(result.whole),
            self._settings.max_queue,
        )

    def abandon(self, uuid: str, ticket: str, *, for_good: bool = False) -> None:
        """A worker died with this request in its hands: the next who asks takes it over.

        ``for_good``: it was too much for one worker, and is not to cost another one.
        """
        attempts = self._settings.max_attempts if for_good else 0
        self._abandon(keys.request(uuid), ticket, attempts)

    def entry(self, uuid: str) -> Entry:
        """What is known of a request; reading changes nothing."""
        key: Any = self._redis.get(keys.request(uuid))
        if key is None:
            return Entry("absent")
        found: Any = self._redis.hmget(key.decode(), "state", "result")
        state, text = found
        if text is not None:
            return Entry("finished", Result.from_json(text))
        return Entry("absent" if state is None else state.decode())

    def result(self, uuid: str) -> Result | None:
        """The result, if there is one."""
        return self.entry(uuid).result
