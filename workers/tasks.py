"""The tasks: what a message of the queue makes a worker process do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.bounds import EndWhatIsBeyondBounds
from workers.celery import app
from workers.consumer import TakeWhatCanStart
from workers.contract.message import (
    PROBE_TASK,
    READ_TASK,
    SHADOW_TASK,
    SKETCH_TASK,
    SLICE_TASK,
    ReadRequest,
)
from workers.process import process

app.steps["consumer"].update((TakeWhatCanStart, EndWhatIsBeyondBounds))


@app.task(name=READ_TASK, bind=True)
def read(self: Any, ticket: str, account: str = "", **_: Any) -> Mapping[str, Any]:
    """Read one image. The task's id is the caller's uuid; a newer front may send more fields."""
    trace = self.request.get("traceparent") or ""
    return process.streak.read(ReadRequest(self.request.id, ticket, trace, account))


# Without events: a probe a second would drown the callers' tasks in Flower.
@app.task(name=PROBE_TASK, send_events=False)
def probe() -> None:
    """Prove that this worker reads: one golden image, all the way."""
    process.reader.probe()


@app.task(name=SHADOW_TASK, send_events=False)
def shadow(ticket: str, **_: Any) -> str:
    """Read, for comparison, what another version has answered."""
    return process.reader.read_along(ticket)


@app.task(name=SKETCH_TASK)
def sketch(ticket: str, **_: Any) -> str:
    """Draw a page with boxes around what was read in it."""
    return process.sketcher.draw(ticket) if process.sketcher else "no sheets here"


@app.task(name=SLICE_TASK)
def work(job: str, ticket: str, **_: Any) -> Mapping[str, Any]:
    """Work on a job for a slice. The task's id is the job's, with the ticket behind it."""
    if process.desk is None:
        return {"skipped": "no JOBS here"}
    return process.desk.reader.work(job, ticket)
