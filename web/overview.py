"""``GET /overview``: what an operator wants to see at a glance, as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from contextlib import suppress
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify
from pydantic import Field
from redis import Redis, RedisError
from redis.exceptions import NoPermissionError
from typing_extensions import TypedDict

from web.metrics import Metrics
from web.openapi.examples import ALGORITHM, BUNDLE
from web.openapi.operation import Body, Operation, Reply, describe
from web.problem import Problem, document
from web.status import LatestStatus
from workers.contract.account import Right
from workers.contract.clock import Clock
from workers.contract.register import Register, Version
from workers.contract.settings import QueueSettings
from workers.contract.shadow import Figures, Shadow

# However many look, Redis is asked no more often.
_FRESH_MS = 500


class Told(TypedDict):
    """How everything is."""

    default: Annotated[str | None, Field(description="the algorithm of callers who name none")]
    problem: Annotated[
        dict[str, Any] | None,
        Field(description="the problem document that new requests would get because of Redis"),
    ]
    versions: Annotated[
        list[dict[str, Any]], Field(description="all lines: workers, what waits, what was done")
    ]
    redis: Annotated[dict[str, int], Field(description="bytes used, and limits; 0: there is none")]
    front: Annotated[str, Field(description="which front this is")]
    replies: Annotated[
        list[dict[str, Any]],
        Field(description="how many that front gave since it started, by kind"),
    ]


_EXAMPLE: Told = {
    "default": ALGORITHM,
    "problem": None,
    "versions": [{"version": BUNDLE, "state": "active", "workers": 2, "ready": True}],
    "redis": {"used_bytes": 2_500_000, "max_bytes": 402_653_184},
    "front": "9f2c6b1d04aa",
    "replies": [{"status": "200", "source": "computed", "type": "", "count": 510}],
}
_OVERVIEW = Operation(
    "How is everything?",
    "operation",
    (Reply("What is known, whether or not Redis answers.", Body(Told, {"well": _EXAMPLE})),),
    needs=Right.OPERATE,
)


def overview_blueprint(
    redis: Redis, settings: QueueSettings, latest: LatestStatus, metrics: Metrics, clock: Clock
) -> Blueprint:
    """Of all versions and of Redis, the same at every front; and the replies of this one."""
    blueprint = Blueprint("overview", __name__)
    register, shadow = Register(redis, settings), Shadow(redis)
    shared: dict[str, Any] = {}
    looked_ms = 0

    @blueprint.get("/overview")
    @describe(_OVERVIEW)
    def overview() -> Response:
        nonlocal shared, looked_ms
        if clock() - looked_ms >= _FRESH_MS:
            looked_ms = clock()
            shared = _shared()
        return jsonify(
            front=_front(),
            replies=metrics.replies(),
            **shared,
        )

    def _shared() -> dict[str, Any]:
        told: dict[str, Any] = {"problem": None, "default": None, "versions": [], "redis": {}}
        try:
            latest.require_writing()
        except Problem as problem:
            told["problem"] = json.loads(document(problem, None))
        # What can be known is told, whatever new requests would meet.
        with suppress(RedisError, Problem):
            told["default"] = latest.overview.default
            told["redis"] = {
                "image_bytes": latest.overview.image_bytes,
                "max_image_bytes": settings.max_queue_bytes,
            }
            told["versions"] = [
                _told(version, shadow.figures(version.status.line))
                for version in register.versions()
            ]
            told["redis"] |= _memory(redis)
        return told

    return blueprint


def _front() -> str:
    """A name that tells strangers nothing.

    All processes of one front are counted together, and have one parent.
    """
    return hashlib.sha256(f"{socket.gethostname()}:{os.getppid()}".encode()).hexdigest()[:12]


def _told(version: Version, along: Figures) -> dict[str, Any]:
    status = version.status
    return {
        "version": status.line,
        "state": version.state,
        "ready": status.ready,
        "workers": status.workers,
        "images_per_s": round(status.rate.images, 1),
        "waiting": status.waiting._asdict(),
        "counts": status.counts._asdict(),
        "members": status.members,
        "resident_bytes": status.resident_bytes,
        "shadow": along._asdict(),
    }


def _memory(redis: Redis) -> dict[str, int]:
    """In bytes, no limit is 0; nothing where the user of Redis may not ask."""
    try:
        memory: Any = redis.info("memory")
    except NoPermissionError:
        return {}
    return {"used_bytes": memory["used_memory"], "max_bytes": memory["maxmemory"]}
