"""The tasks: what a message of the queue makes a worker process do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.bounds import EndWhatIsBeyondBounds
from workers.celery import app
from workers.consumer import TakeWhatCanStart
from workers.contract.message import PROBE_TASK, READ_TASK
from workers.process import process

app.steps["consumer"].update((TakeWhatCanStart, EndWhatIsBeyondBounds))


@app.task(name=READ_TASK, bind=True)
def read(self: Any, ticket: str, **_: Any) -> Mapping[str, Any]:
    """Read one image. The task's id is the caller's uuid; a newer front may send more fields."""
    return process.reader.read(self.request.id, ticket)


# Without events: a probe a second would drown the callers' tasks in Flower.
@app.task(name=PROBE_TASK, send_events=False)
def probe() -> None:
    """Prove that this worker reads: one golden image, all the way."""
    process.reader.probe()
