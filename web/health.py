"""``/livez`` and ``/readyz``, for whoever starts, restarts or routes to this front."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from flask import Blueprint, Response, jsonify
from pydantic import Field
from typing_extensions import TypedDict

from web.openapi.examples import AWAY, NO_WORKER, READ_ONLY
from web.openapi.operation import Body, Operation, Reply, describe
from web.problems import WorkersAway
from web.status import LatestStatus


class Alive(TypedDict):
    """The process lives."""

    status: Literal["alive"]


class Ready(TypedDict):
    """A worker has lately completed a task, and Redis takes new ones."""

    status: Literal["ready"]
    workers: NotRequired[
        Annotated[
            int, Field(description="processes with a loaded ensemble; not told with accounts")
        ]
    ]
    queue_length: NotRequired[
        Annotated[int, Field(description="requests that wait for one; not told with accounts")]
    ]


_LIVEZ = Operation(
    "Does the process live?",
    "operation",
    (Reply("It does.", Body(Alive, {"alive": {"status": "alive"}})),),
    is_open=True,
)
_READYZ = Operation(
    "Would a request be answered?",
    "operation",
    (
        Reply(
            "It would, by the default algorithm.",
            Body(Ready, {"ready": {"status": "ready", "workers": 2, "queue_length": 0}}),
        ),
    ),
    problems=(NO_WORKER, *AWAY, *READ_ONLY),
    # Whoever routes to this front has no key.
    is_open=True,
)


def health_blueprint(latest: LatestStatus, *, tells_counts: bool) -> Blueprint:
    """Alive is the process; ready is the whole path to a worker that completes tasks.

    ``tells_counts``: how many workers there are is for everybody to know.
    """
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/livez")
    @describe(_LIVEZ)
    def livez() -> Response:
        return jsonify(Alive(status="alive"))

    @blueprint.get("/readyz")
    @describe(_READYZ)
    def readyz() -> Response:
        latest.require_writing()
        status = latest.status(latest.named(None))
        if not status.ready:
            raise WorkersAway
        told = Ready(status="ready")
        if tells_counts:
            told |= Ready(status="ready", workers=status.workers, queue_length=status.queue_length)
        return jsonify(told)

    return blueprint
