"""``/livez`` and ``/readyz``, for whoever starts, restarts or routes to this front."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from web.problems import WorkersAway
from web.status import LatestStatus


def health_blueprint(latest: LatestStatus) -> Blueprint:
    """Alive is the process; ready is the whole path to a worker that completes tasks."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/livez")
    def livez() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        latest.require_writing()
        status = latest.status(latest.named(None))
        if not status.ready:
            raise WorkersAway
        return jsonify(status="ready", workers=status.workers, queue_length=status.queue_length)

    return blueprint
