"""Who waits in a line: images that somebody wants, in the list of Celery's or before it."""

from __future__ import annotations

from redis import Redis

from workers.contract.keys import INFERENCE, LINE, of


def waiting(redis: Redis, line: str) -> int:
    """How many requests wait for a worker of this line; raises ``RedisError``."""
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(of(line, INFERENCE))
        pipeline.zcard(of(line, LINE))
        return sum(pipeline.execute())
