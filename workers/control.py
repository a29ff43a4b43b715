"""Remote control: looking is allowed, whatever can keep a worker from reading is refused.

Flower's buttons and ``celery control`` reach every worker. A rate limit, even one that is lifted
again, stops the consumer; a revoked uuid is discarded for hours, and callers re-send theirs.
"""

from __future__ import annotations

from typing import Any

from celery.worker.control import Panel

# Flower asks for events; the rest of what Celery calls control changes how a worker works.
_HARMLESS = {"enable_events", "disable_events", "heartbeat"}

# Said to be for looking, but it takes over the revoked tasks of whoever asks.
_MERGES = {"hello"}

_REFUSAL = "refused: this could keep the worker from reading. Stop or restart it where it runs."


def refuse_what_breaks() -> None:
    """Runs once, in the parent."""
    for name, meta in Panel.meta.items():
        if name in _MERGES or (meta.type == "control" and name not in _HARMLESS):
            Panel.data[name] = _refuse


def _refuse(_state: Any, **_: Any) -> dict[str, str]:
    return {"error": _REFUSAL}
