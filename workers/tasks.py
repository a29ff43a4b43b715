"""The tasks: what a message of the queue makes a worker process do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.bounds import EndWhatIsBeyondBounds
from workers.consumer import TakeWhatCanStart
from workers.contract.queue import COMPLETE_TASK, PROBE_TASK, READ_TASK, ImageMessage, app
from workers.process import process

app.steps["consumer"].update((TakeWhatCanStart, EndWhatIsBeyondBounds))


@app.task(name=READ_TASK, bind=True)
def read(self: Any, **fields: Any) -> Mapping[str, Any]:
    """Read one image. The task's id is the caller's uuid."""
    return process.reader.read(ImageMessage.received(self.request.id, fields))


# Without events, as the task of this id has told its story already.
@app.task(name=COMPLETE_TASK, bind=True, send_events=False)
def complete(self: Any, **fields: Any) -> None:
    """Read one image again, with all members."""
    process.reader.complete(ImageMessage.received(self.request.id, fields))


# Without events: a probe a second would drown the callers' tasks in Flower.
@app.task(name=PROBE_TASK, send_events=False)
def probe() -> None:
    """Prove that this worker reads: one golden image, all the way."""
    process.reader.probe()
