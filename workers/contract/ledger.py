"""The ledger: one entry in Redis for every image, from its first request until it is forgotten.

Each step is one Lua script, so that an image is executed at most once however many requests for it
arrive at however many fronts. An entry is absent, queued, running, late or finished; docs/DESIGN.md
draws it. Queued and running entries carry a lease. When it runs out, whoever asks next takes over.

A uuid of an algorithm belongs to one entry. Whether requests with the same image but other uuids
share an entry is up to the fronts: they name the subject of a request. An entry belongs to a line,
so that it never holds an answer of another version; what workers do with it is in line.py.

Redis' clock is the only one that is looked at: what goes in and comes out are spans of time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.account import Charge, Standing, filed
from workers.contract.clock import Clock, Deadlines, wall_clock_ms
from workers.contract.message import read_message
from workers.contract.result import Result
from workers.contract.scripts import Scripts
from workers.contract.settings import QueueSettings

# How soon it is worth asking again whether a worker is ready.
_READY_AGAIN_MS = 250


class Verdict(StrEnum):
    """What an arriving request is. IMAGE: that shows when the image is sent along.

    LIMITED and EXCEEDED: its account is over its rate, or its units of the month.
    """

    KEPT = "kept"
    JOINED = "joined"
    ENQUEUED = "enqueued"
    CONFLICT = "conflict"
    UNREADY = "unready"
    EXHAUSTED = "exhausted"
    FULL = "full"
    IMAGE = "image"
    LIMITED = "limited"
    EXCEEDED = "exceeded"


class Admission(NamedTuple):
    """The verdict, and with it what its kind has.

    ``result`` comes with KEPT, ``look_again_ms`` (an absolute time) and ``line`` with JOINED and
    ENQUEUED, ``before`` with FULL: so many messages. ``image_wanted``: it would have helped to send
    it. ``standing``: that of the account, if one is charged, with what is taken, LIMITED and
    EXCEEDED.
    """

    verdict: Verdict
    result: Result | None = None
    look_again_ms: int = 0
    line: str = ""
    before: int = 0
    image_wanted: bool = False
    standing: Standing | None = None


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


class Name(NamedTuple):
    """A request: the same uuid under two algorithms, or of two accounts, is two of them.

    ``account`` is empty where there are none.
    """

    algorithm: str
    uuid: str
    account: str = ""

    @property
    def filed(self) -> str:
        """Its uuid, as that of its account."""
        return filed(self.account, self.uuid)

    @property
    def key(self) -> str:
        """Where it is found."""
        return keys.request(self.algorithm, self.filed)


class Entry(NamedTuple):
    """What is known of a request: absent, queued, running, late or finished, with its result."""

    state: str
    result: Result | None = None


class Notice(NamedTuple):
    """What a front is told of one image: a result, or without one that it should look again."""

    line: str
    subject: str
    result: Result | None

    @classmethod
    def parse(cls, payload: bytes) -> Notice:
        """Read what the scripts publish."""
        entry, _, result = payload.partition(b"\n")
        line, subject = keys.line_and_subject(entry.decode())
        return cls(line, subject, Result.from_json(result) if result else None)


class Ledger:
    """A front's view of requests. Every method raises ``redis.RedisError`` when Redis is away."""

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
        self._admit = Scripts(redis, settings.lease_ms, redis_clock).load(
            "admit", "account", "kept"
        )

    def admit(
        self,
        name: Name,
        fingerprint: str,
        subject: str,
        deadlines: Deadlines,
        front: str,
        room: Room,
        image: bytes | None,
        size: int,
        trace: str = "",
        charge: Charge | None = None,
    ) -> Admission:
        """A front asks what a request is; a new one is put in line in the same step.

        A re-send moves the deadlines of what is under way on: somebody still wants the answer.

        Args:
            name: the line that is active goes with its algorithm.
            fingerprint: of the image.
            subject: requests of the same subject share one execution and its result.
            deadlines: of this copy.
            front: the channel on which the front is told.
            room: how much may go before it.
            image: the file. None: it is only sent when the verdict wants it.
            size: of the image, in bytes.
            trace: the ``traceparent`` of this copy, if it is traced.
            charge: what is to be charged to whom, while there are accounts.
        """
        settings = self._settings
        now_ms = self._clock()
        verdict, *detail = self._admit(
            name.algorithm,
            name.filed,
            fingerprint,
            subject,
            front,
            read_message(name.uuid, secrets.token_hex(8), trace, name.account),
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
            *(charge or ()),
        )
        standing = None
        if detail and isinstance(detail[-1], list):
            units, level_ms, again_ms, used = detail.pop()
            standing = Standing(float(units), level_ms, again_ms, float(used))
        match Verdict(verdict.decode()):
            case Verdict.KEPT:
                text, wanted = detail
                result = Result.from_json(text)
                return Admission(
                    Verdict.KEPT, result=result, image_wanted=bool(wanted), standing=standing
                )
            case Verdict.JOINED:
                in_ms, line = detail
                return Admission(
                    Verdict.JOINED,
                    look_again_ms=now_ms + in_ms,
                    line=line.decode(),
                    standing=standing,
                )
            case Verdict.ENQUEUED:
                look_again_ms = now_ms + settings.lease_ms
                return Admission(
                    Verdict.ENQUEUED,
                    look_again_ms=look_again_ms,
                    line=detail[0].decode(),
                    standing=standing,
                )
            case Verdict.IMAGE:
                return Admission(Verdict.IMAGE, image_wanted=True)
            case Verdict.FULL:
                return Admission(
                    Verdict.FULL, look_again_ms=now_ms + _READY_AGAIN_MS, before=detail[0]
                )
            case refusal:
                return Admission(refusal, look_again_ms=now_ms + _READY_AGAIN_MS, standing=standing)

    def known(self, requests: Sequence[Name]) -> set[Name]:
        """Those of the requests for which something is kept or under way."""
        found: Any = self._redis.mget([name.key for name in requests])
        return {name for name, entry in zip(requests, found, strict=True) if entry is not None}

    def entry(self, name: Name) -> Entry:
        """What is known of a request; reading changes nothing."""
        key: Any = self._redis.get(name.key)
        if key is None:
            return Entry("absent")
        found: Any = self._redis.hmget(key.decode(), "state", "result")
        state, text = found
        if text is not None:
            return Entry("finished", Result.from_json(text))
        return Entry("absent" if state is None else state.decode())

    def result(self, name: Name) -> Result | None:
        """The result, if there is one."""
        return self.entry(name).result
