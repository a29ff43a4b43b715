"""Sketches: a page with boxes around what was read, drawn by a worker when a caller asks for it.

It is not computed with the answer: few ask, and it is larger than all else. Whoever asks has the
file and the answer, and hands both over; a sketch that is lost is asked for again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, Final, NamedTuple, cast

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.message import enqueue_sketch

# Of one line, each of some megabytes twice.
_MOST: Final = 4
_KEPT_FOR_MS: Final = 40_000
# Below what a client of Redis takes for its silence.
_LOOK_AGAIN_S: Final = 0.25


class Crowded(Exception):
    """As many sketches as may be are waited for."""


class Ordered(NamedTuple):
    """The file, which of its pages (from 0 on), and what was told of that."""

    file: bytes
    number: int
    page: Mapping[str, Any]


class Sketches:
    """Those of all lines. Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(self, redis: Redis, clock: Clock = wall_clock_ms) -> None:
        self._redis = redis
        self._clock = clock

    def drawn(self, line: str, ordered: Ordered, until_ms: int) -> bytes | None:
        """A PNG by a worker of this line; None if it has not come by then, empty if it failed.

        Raises:
            Crowded: others wait already.
        """
        ticket, waiting = token_hex(8), keys.of(line, keys.SKETCHES)
        now_ms = self._clock()
        with self._redis.pipeline() as pipeline:
            pipeline.zremrangebyscore(waiting, "-inf", now_ms)
            pipeline.zadd(waiting, {ticket: now_ms + _KEPT_FOR_MS})
            pipeline.zcard(waiting)
            pipeline.pexpire(waiting, _KEPT_FOR_MS)
            *_, count, _ = pipeline.execute()
        order, made = keys.sketch(ticket)
        try:
            if count > _MOST:
                raise Crowded
            fields = {
                "file": ordered.file,
                "number": ordered.number,
                "page": json.dumps(ordered.page),
            }
            with self._redis.pipeline() as pipeline:
                pipeline.hset(order, mapping=cast(Any, fields))
                pipeline.pexpire(order, _KEPT_FOR_MS)
                pipeline.execute()
            enqueue_sketch(self._redis, line, ticket)
            while (left_ms := until_ms - self._clock()) > 0:
                wait_s = min(_LOOK_AGAIN_S, math.ceil(left_ms) / 1000)
                if found := self._redis.blpop([made], wait_s):
                    return cast(bytes, found[1])
            return None
        finally:
            with self._redis.pipeline() as pipeline:
                pipeline.zrem(waiting, ticket)
                pipeline.delete(order, made)
                pipeline.execute()

    def take(self, ticket: str) -> Ordered | None:
        """What is to be drawn; None when nobody waits for it any more."""
        order, _ = keys.sketch(ticket)
        fields = cast(dict[bytes, bytes], self._redis.hgetall(order))
        if not fields:
            return None
        return Ordered(fields[b"file"], int(fields[b"number"]), json.loads(fields[b"page"]))

    def hand_over(self, ticket: str, png: bytes) -> None:
        """Here it is."""
        _, made = keys.sketch(ticket)
        with self._redis.pipeline() as pipeline:
            pipeline.rpush(made, png)
            pipeline.pexpire(made, _KEPT_FOR_MS)
            pipeline.execute()
