"""The shadow: a staged version reads a share of what the active one has answered, for comparison.

No caller waits for it. The version that answered hands the image over once its caller has been
told; the shadow reads it while nobody waits for either, and what it made of it is added up.
"""

from __future__ import annotations

import json
import zlib
from secrets import token_hex
from typing import Any, Final, NamedTuple

from redis import Redis

from workers.contract import keys
from workers.contract.message import enqueue_shadow
from workers.contract.waiting import waiting

# What a shadow has not come to by then is forgotten, and no more than so many wait for it.
_SHOWN_FOR_MS: Final = 30_000
_MOST_SHOWN: Final = 20
_LARGEST_BYTES: Final = 1_000_000
_CHANGES_KEPT: Final = 100


class Assignment(NamedTuple):
    """So many of a hundred images are shown to this line."""

    line: str
    percent: int

    @classmethod
    def parse(cls, text: bytes) -> Assignment:
        """The inverse of ``str``."""
        line, percent = text.decode().split()
        return cls(line, int(percent))

    def __str__(self) -> str:
        return f"{self.line} {self.percent}"

    def chooses(self, uuid: str) -> bool:
        """Whether the image of this uuid is among them; the same on every machine."""
        return zlib.crc32(uuid.encode()) % 100 < self.percent


class Shown(NamedTuple):
    """An image and what was made of it: by ``line``, in ``took_us``."""

    line: str
    uuid: str
    answer: str
    took_us: int
    image: bytes


class Change(NamedTuple):
    """The answer that a caller got, and what the shadow would have said."""

    uuid: str
    was: str
    now: str


class Figures(NamedTuple):
    """Of so many images: answered alike, skipped because callers waited, microseconds of both."""

    read: int
    alike: int
    skipped: int
    took_us: int
    their_us: int


class Shadow:
    """What all sides do with it. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def assign(self, line: str, percent: int) -> None:
        """Have a line read along, from the beginning; with 0 no more."""
        algorithm = keys.algorithm_of(line)
        with self._redis.pipeline() as pipeline:
            if percent:
                pipeline.hset(keys.SHADOWS, algorithm, str(Assignment(line, percent)))
                pipeline.delete(keys.of(line, keys.SHADOW), keys.of(line, keys.CHANGES))
            else:
                pipeline.hdel(keys.SHADOWS, algorithm)
            pipeline.execute()

    def show(self, shadow: str, shown: Shown) -> None:
        """Hand an image over, if the shadow has not more than enough of them."""
        queue = keys.of(shadow, keys.PARTIAL)
        if len(shown.image) > _LARGEST_BYTES or self._redis.llen(queue) >= _MOST_SHOWN:
            return
        ticket = token_hex(8)
        key = keys.of(shadow, keys.SHOWN) + ticket
        fields: dict[Any, Any] = shown._asdict()
        with self._redis.pipeline() as pipeline:
            pipeline.hset(key, mapping=fields)
            pipeline.pexpire(key, _SHOWN_FOR_MS)
            pipeline.execute()
        enqueue_shadow(self._redis, shadow, ticket)

    def take(self, line: str, ticket: str) -> Shown | None:
        """What was shown under this ticket; None where it was too long ago, or callers wait."""
        key = keys.of(line, keys.SHOWN) + ticket
        with self._redis.pipeline() as pipeline:
            pipeline.hgetall(key)
            pipeline.delete(key)
            fields, _ = pipeline.execute()
        if not fields:
            return None
        text = {name.decode(): value for name, value in fields.items()}
        shown = Shown(
            line=text["line"].decode(),
            uuid=text["uuid"].decode(),
            answer=text["answer"].decode(),
            took_us=int(text["took_us"]),
            image=text["image"],
        )
        if waiting(self._redis, shown.line) or waiting(self._redis, line):
            self._redis.hincrby(keys.of(line, keys.SHADOW), "skipped", 1)
            return None
        return shown

    def note(self, line: str, shown: Shown, answer: str, took_us: int) -> None:
        """Add up what came of it."""
        figures, changes = keys.of(line, keys.SHADOW), keys.of(line, keys.CHANGES)
        alike = answer == shown.answer
        with self._redis.pipeline() as pipeline:
            pipeline.hincrby(figures, "read", 1)
            pipeline.hincrby(figures, "alike", int(alike))
            pipeline.hincrby(figures, "took_us", took_us)
            pipeline.hincrby(figures, "their_us", shown.took_us)
            if not alike:
                change = Change(shown.uuid, shown.answer, answer)
                pipeline.lpush(changes, json.dumps(change, ensure_ascii=False))
                pipeline.ltrim(changes, 0, _CHANGES_KEPT - 1)
            pipeline.execute()

    def figures(self, line: str) -> Figures:
        """What a line has read along, since it was assigned."""
        counts: Any = self._redis.hmget(keys.of(line, keys.SHADOW), Figures._fields)
        return Figures(*(int(count or 0) for count in counts))

    def changes(self, line: str, most: int) -> list[Change]:
        """The latest answers that would have been others, the last one first."""
        found: Any = self._redis.lrange(keys.of(line, keys.CHANGES), 0, most - 1)
        return [Change(*json.loads(change)) for change in found]
