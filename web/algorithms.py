"""``GET /algorithms``: what is served here, under which names, and how it is."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from web.status import LatestStatus
from workers.contract.card import Card
from workers.contract.readiness import Status


def algorithms_blueprint(latest: LatestStatus) -> Blueprint:
    """Their cards, with what is known of their lines."""
    blueprint = Blueprint("algorithms", __name__)

    @blueprint.get("/algorithms")
    def algorithms() -> Response:
        overview = latest.overview
        names = sorted(overview.statuses)
        return jsonify(
            default=overview.default,
            algorithms=[_told(name, overview.statuses[name]) for name in names],
        )

    @blueprint.get("/algorithms/<name>")
    def algorithm(name: str) -> Response:
        return jsonify(_told(name, latest.status(latest.named(name))))

    return blueprint


def _told(name: str, status: Status) -> dict[str, Any]:
    return {
        **Card.of(name).model_dump(),
        "state": _state(status),
        "bundle": status.line,
        "workers": status.workers,
        "queue_length": status.queue_length,
    }


def _state(status: Status) -> str:
    """``ready``; ``loading`` with workers that have completed nothing yet; else ``absent``."""
    if status.ready:
        return "ready"
    return "loading" if status.workers else "absent"
