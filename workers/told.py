"""What Flower is told of messages that a process takes without its parent, who tells of others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery import Celery

from workers.contract.message import READ_TASK, ReadRequest

logger = logging.getLogger(__name__)

# As the parent does: Flower is looked at by people.
_EVERY_S = 0.25
# What waits to be told in that time is far less.
_MOST = 10_000

Tell = Callable[[Mapping[str, Any]], None]


class Told:
    """Celery's events, gathered, and published by a thread of their own."""

    def __init__(self, app: Celery, worker: str) -> None:
        """``worker``: its name as Celery has it."""
        self._events = app.events.Dispatcher(
            app.connection_for_write(),
            hostname=worker,
            enabled=app.conf.worker_send_task_events,
            buffer_group={"task"},
            buffer_limit=_MOST,
        )
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="told", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what is left, and end."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def of(self, request: ReadRequest) -> Iterator[Tell]:
        """A task that lasts as long as the block, in which its result is told."""
        began_s, uuid = time.monotonic(), request.uuid
        fields = {"ticket": request.ticket}
        # It has started, too: Flower would show nothing more, and has to read what it is sent.
        self._events.send("task-received", uuid=uuid, name=READ_TASK, args="()", kwargs=str(fields))

        def tell(result: Mapping[str, Any]) -> None:
            runtime_s = time.monotonic() - began_s
            self._events.send("task-succeeded", uuid=uuid, result=str(result), runtime=runtime_s)

        try:
            yield tell
        except Exception as error:
            self._events.send("task-failed", uuid=uuid, exception=repr(error), traceback="")
            raise

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        try:
            self._events.flush()
        except Exception:
            logger.warning("Flower is not told of all that was read", exc_info=True)
