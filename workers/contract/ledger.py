"""The ledger: one entry in Redis for every uuid, from its first copy until it is forgotten.

Each step is one Lua script, so that a uuid is executed at most once however many copies arrive
at however many fronts. An entry is absent, queued, running or finished; docs/DESIGN.md draws it.
Queued and running entries carry a lease. When it runs out, whoever asks next takes over.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock
from workers.contract.queue import INFERENCE
from workers.contract.result import Outcome, Result
from workers.contract.settings import QueueSettings

_LUA = Path(__file__).with_name("lua")

# Hexadecimal digits of a fingerprint.
_DIGEST = 64

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


class Admission(NamedTuple):
    """The verdict, and with it one of: the result, when to look again, the place in line."""

    verdict: Verdict
    result: Result | None = None
    look_again_ms: int = 0
    place: int = 0


class Permission(StrEnum):
    """Whether a worker may execute the message in its hands, or why not."""

    RUN = "run"
    FINISHED = "finished"
    RUNNING = "running"
    DROPPED = "dropped"
    GONE = "gone"


class Notice(NamedTuple):
    """What a front is told of one image: a result, or without one that it should look again."""

    uuid: str
    fingerprint: str
    result: Result | None

    @classmethod
    def parse(cls, payload: bytes) -> Notice:
        """Read what finish.lua and abandon.lua publish."""
        subject, _, result = payload.partition(b"\n")
        fingerprint, uuid = subject[:_DIGEST].decode(), subject[_DIGEST:].decode()
        return cls(uuid, fingerprint, Result.from_json(result) if result else None)


class Ledger:
    """The steps of a request. Every method raises ``redis.RedisError`` when Redis is away."""

    def __init__(self, redis: Redis, settings: QueueSettings, clock: Clock) -> None:
        self._redis = redis
        self._settings = settings
        self._clock = clock
        self._admit, self._start, self._renew, self._finish, self._abandon = (
            redis.register_script((_LUA / f"{step}.lua").read_text())
            for step in ("admit", "start", "renew", "finish", "abandon")
        )

    def admit(self, uuid: str, fingerprint: str, drop_after_ms: int, front: str) -> Admission:
        """A front asks what to do with a request; ``front`` is the channel it listens on.

        A re-send moves ``drop_after_ms``, an absolute time, on: somebody still wants the answer.
        """
        settings = self._settings
        now_ms = self._clock()
        verdict, *detail = self._admit(
            keys=[keys.entry(uuid), keys.LINE, keys.WORKERS, keys.COMPLETED, INFERENCE],
            args=[
                now_ms,
                fingerprint,
                drop_after_ms,
                front,
                settings.lease_ms,
                settings.keep_for_ms,
                settings.ready_within_ms,
                settings.max_attempts,
            ],
        )
        match Verdict(verdict.decode()):
            case Verdict.KEPT:
                return Admission(Verdict.KEPT, result=Result.from_json(detail[0]))
            case Verdict.JOINED:
                return Admission(Verdict.JOINED, look_again_ms=int(detail[0]))
            case Verdict.ENQUEUE:
                look_again_ms = now_ms + settings.lease_ms
                return Admission(Verdict.ENQUEUE, look_again_ms=look_again_ms, place=detail[0])
            case refusal:
                return Admission(refusal, look_again_ms=now_ms + _READY_AGAIN_MS)

    def start(self, uuid: str, fingerprint: str, place: int) -> Permission:
        """A worker asks whether to execute; with RUN the lease is its own."""
        permission = self._start(
            keys=[keys.entry(uuid), keys.LINE, keys.COUNTS],
            args=[
                self._clock(),
                fingerprint,
                place,
                self._settings.lease_ms,
                secrets.token_hex(8),
            ],
        )
        return Permission(permission.decode())

    def renew(self, uuid: str, place: int) -> None:
        """A worker that still computes extends its lease."""
        lease_until_ms = self._clock() + self._settings.lease_ms
        self._renew(keys=[keys.entry(uuid)], args=[place, lease_until_ms])

    def finish(self, uuid: str, fingerprint: str, place: int, result: Result) -> None:
        """Store a result, late or not, and wake every front that waits for it.

        A failure is told and not kept: a re-send tries again.
        """
        keep_for_ms = 0 if result.outcome is Outcome.FAILED else self._settings.keep_for_ms
        self._finish(
            keys=[keys.entry(uuid), keys.COMPLETED],
            args=[
                self._clock(),
                fingerprint,
                result.to_json(),
                keep_for_ms,
                uuid,
                place,
            ],
        )

    def abandon(self, uuid: str, place: int) -> None:
        """A worker died with this request in its hands: the next who asks takes it over."""
        self._abandon(keys=[keys.entry(uuid)], args=[place, uuid])

    def result(self, uuid: str) -> Result | None:
        """The result, if there is one."""
        text = self._redis.hget(keys.entry(uuid), "result")
        return Result.from_json(text) if text else None
