"""A line: what waits for one version of an algorithm, as its workers see it.

A worker process tells that it lives, takes a message from the line's queue, asks whether it may
execute it, and stores what came of it. Each of these steps is one Lua script.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from itertools import chain
from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.message import READS, ReadRequest
from workers.contract.result import Outcome, Result, Stop
from workers.contract.scripts import Scripts
from workers.contract.settings import QueueSettings
from workers.contract.shadow import Assignment
from workers.contract.waiting import waiting

_FORGET_WORKERS_AFTER_MS = 60_000


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


def _turn(now_ms: int, permission: bytes, image: bytes = b"", *rest: int) -> Turn:
    """Of what start.lua says of one message; only with RUN there is a rest."""
    if not rest:
        return Turn(Permission(permission.decode()), image)
    waited_ms, answer_in_ms, share_ms, waiting = rest
    return Turn(Permission.RUN, image, waited_ms, now_ms + answer_in_ms, share_ms, waiting)


class Rate(NamedTuple):
    """How much is answered in a second with one member each.

    So many images without bytes; reading their bytes takes a second for so many.
    """

    images: float
    image_bytes: float

    @classmethod
    def parse(cls, text: bytes) -> Rate:
        """The inverse of ``str``."""
        images, count = text.split()
        return cls(float(images), float(count))

    def __str__(self) -> str:
        return f"{self.images:.6g} {self.image_bytes:.6g}"


class Line:
    """``name``: its bundle's. Every method raises ``redis.RedisError`` when Redis is away.

    ``uuid`` is that of a request as it is filed, with its account.
    """

    def __init__(
        self,
        name: str,
        redis: Redis,
        settings: QueueSettings,
        clock: Clock = wall_clock_ms,
        redis_clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._redis = redis
        self._settings = settings
        self._clock = clock
        scripts = Scripts(redis, settings.lease_ms, redis_clock)
        self._start, self._renew, self._finish, self._abandon, self._beat, self._probed = map(
            scripts.load, ("start", "renew", "finish", "abandon", "beat", "probed")
        )

    def beat(
        self,
        worker: str,
        rate: Rate,
        *,
        takes_default: bool,
        resident_bytes: int = 0,
        digest: str = "",
    ) -> Assignment | None:
        """A worker process has the line's bundle loaded and lives.

        Args:
            worker: its name.
            rate: its own.
            takes_default: it serves also those who name no algorithm, where nobody else does.
            resident_bytes: the memory that it has in use.
            digest: of its bundle.

        Returns:
            Whom to show what was answered, if anybody.
        """
        assignment = self._beat(
            self.name,
            worker,
            str(rate),
            _FORGET_WORKERS_AFTER_MS,
            keys.algorithm_of(self.name),
            int(takes_default),
            resident_bytes,
            digest,
        )
        return Assignment.parse(assignment) if assignment else None

    def leave(self, worker: str) -> None:
        """A worker process stops, in order."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(keys.of(self.name, keys.WORKERS), worker)
            pipeline.hdel(keys.of(self.name, keys.RATES), worker)
            pipeline.hdel(keys.of(self.name, keys.MEMORY), worker)
            pipeline.execute()

    def probed(self) -> None:
        """A worker has just completed a probe."""
        self._probed(self.name)

    def start(self, requests: Sequence[ReadRequest], least_us: float, byte_ns: float) -> list[Turn]:
        """A worker asks whether to execute; with RUN it gets the image, and the lease is its own.

        An answer takes ``least_us`` at the least, and ``byte_ns`` more for each byte. When that is
        too long for whoever waits for this one, others go first who can still be on time.
        """
        now_ms = self._clock()
        held = ((self._request(each.name), each.ticket) for each in requests)
        turns = self._start(
            self.name,
            secrets.token_hex(8),
            least_us,
            byte_ns,
            self._settings.max_queue,
            100 // self._settings.jobs_floor if self._settings.jobs_floor else 0,
            *chain.from_iterable(held),
        )
        return [_turn(now_ms, *turn) for turn in turns]

    def kept(self, subject: str) -> Result | None:
        """What was read in an image before, of all members that matter."""
        reply: Any = self._redis.hmget(keys.entry(self.name, subject), "result", "partial")
        result, partial = reply
        return Result.from_json(result) if result and not partial else None

    def waiting(self) -> int:
        """How many requests wait for a worker."""
        return waiting(self._redis, self.name)

    def renew(self, uuid: str, ticket: str) -> None:
        """A worker that still computes extends its lease."""
        self._renew(self.name, self._request(uuid), ticket)

    def finish(
        self, results: Sequence[tuple[ReadRequest, Result]], *, take: int = 0
    ) -> list[ReadRequest]:
        """Store results, late or not, and wake every front that waits for them.

        A failure is told and not kept: a re-send tries again. A partial answer asks for one that is
        whole, to which it gives way; it is told once.

        Args:
            results: of each message that was executed, what came of it.
            take: the process takes the next message itself, if one waits, or so many at once, if
                as many wait for every worker.

        Returns:
            What those ask for; they are in this process' hands then, as what Celery brings.
        """
        stored = (self._stored(request, result) for request, result in results)
        taken = self._finish(
            *(self.name, self._settings.max_queue, READS, take, secrets.token_hex(8)),
            *chain.from_iterable(stored),
        )
        return [ReadRequest.parse(message) for message in taken]

    def abandon(self, uuid: str, ticket: str, *, for_good: bool = False) -> None:
        """A worker died with this request in its hands: the next who asks takes it over.

        ``for_good``: it was too much for one worker, and is not to cost another one.
        """
        attempts = self._settings.max_attempts if for_good else 0
        self._abandon(self.name, self._request(uuid), ticket, attempts)

    def _stored(self, request: ReadRequest, result: Result) -> tuple[str | int, ...]:
        return (
            self._request(request.name),
            request.ticket,
            result.to_json(),
            0 if result.outcome is Outcome.FAILED else self._settings.keep_for_ms,
            result.members,
            int(result.whole),
            int(result.stopped == Stop.EXPRESS),
        )

    def _request(self, uuid: str) -> str:
        return keys.request(keys.algorithm_of(self.name), uuid)
