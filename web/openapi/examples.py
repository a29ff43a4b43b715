"""What several operations show: an algorithm's name, and problems as they are raised."""

from __future__ import annotations

from web.openapi.operation import Value
from web.problem import Problem
from web.problems import (
    AlgorithmUnknown,
    QueueFull,
    QueueReadOnly,
    QueueRefuses,
    RedisAway,
    WorkersAway,
)
from workers.contract.refusal import Refusal

ALGORITHM = "handwriting"
BUNDLE = "handwriting/8"

NAME = Value(
    "The name of an algorithm; `GET /algorithms` lists them.",
    ALGORITHM,
    {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 30},
)

UNKNOWN: Problem = AlgorithmUnknown("nobody")
# Of whoever looks at what is known of Redis and the workers.
AWAY: tuple[Problem, ...] = (RedisAway(), QueueRefuses(Refusal.NOAUTH))
NO_WORKER: Problem = WorkersAway()
# Of whoever writes.
READ_ONLY: tuple[Problem, ...] = (QueueReadOnly(Refusal.READONLY), QueueFull(Refusal.OOM))
