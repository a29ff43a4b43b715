"""Bounds: a task that takes too long or too much memory is ended, and its process with it.

The parent watches. A process that hangs in foreign code cannot be relied on to watch itself.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker import state

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Finds the tasks that are beyond their bounds.

    Args:
        limit_ms: how long a task may take.
        limit_bytes: how large its process may become.
        give_up: what to do with a task whose process was ended.
        clock: monotonic, in seconds. That of the day may be set while a task runs.
    """

    def __init__(
        self,
        limit_ms: int,
        limit_bytes: Callable[[], int],
        give_up: Callable[[Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_ms = limit_ms
        self._limit_bytes = limit_bytes
        self.give_up = give_up
        self._clock = clock
        self._since: dict[Any, float] = {}

    def beyond(self, running: dict[Any, int]) -> dict[Any, str]:
        """Which of the running tasks (with their process ids) to end, and what to say of each.

        None whose process is gone: Celery learns that up to five seconds later, and until then the
        task counts as running. That a process was lost says nothing against what it had in hand.
        """
        now = self._clock()
        self._since = {task: self._since.get(task, now) for task in running}
        limit_bytes = self._limit_bytes()
        excess = {}
        for task, pid in running.items():
            size = resident_bytes(pid)
            if size and now - self._since[task] > self._limit_ms / 1000:
                excess[task] = f"it took longer than {self._limit_ms} ms"
            elif size > limit_bytes:
                excess[task] = f"its process grew beyond {limit_bytes >> 20} MiB"
        return excess


def resident_bytes(pid: int) -> int:
    """How much memory a process has in use; 0 for one that is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * _PAGE_BYTES


class EndWhatIsBeyondBounds(bootsteps.StartStopStep):
    """Looks at all running tasks, ten times a second.

    Celery's own limit is one of time alone; here one look decides on both.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    # Set once, before the worker starts, by the module that knows settings and ledger.
    watch: Watch

    def start(self, consumer: Any) -> None:
        """Runs at every (re)connection: Celery cancels what was called repeatedly before it."""
        if consumer.hub:
            consumer.hub.call_repeatedly(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        running = {task: task.worker_pid for task in state.active_requests if task.worker_pid}
        for task, why in self.watch.beyond(running).items():
            logger.error("ending the task %s: %s", task.id, why)
            with suppress(ProcessLookupError):
                os.kill(task.worker_pid, signal.SIGKILL)
            self.watch.give_up(task)
