"""The worker process: pinned to its cores, with a loaded ensemble, before it takes any work.

Celery forks its processes and calls `start` in each. Engines are imported only there: threads
and locks of an inference runtime do not survive a fork.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from billiard import current_process
from celery.exceptions import WorkerLostError
from celery.signals import celeryd_after_setup, task_failure, worker_process_init
from celery.signals import worker_process_shutdown as worker_process_stop

from workers.contract.clock import wall_clock_ms
from workers.contract.connection import patient
from workers.contract.ledger import Ledger
from workers.contract.queue import READ_TASK
from workers.contract.readiness import Readiness
from workers.cores import container_quota, share
from workers.heartbeat import Heartbeat
from workers.reader import Reader
from workers.scheduler import Pace, Scheduler
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from model.ensemble import Ensemble

logger = logging.getLogger(__name__)

# Where they share cores, the front and Redis go first: they need little, but need it on time.
_NICENESS = 5

# How long a process that could not load waits before another one tries.
_TRY_AGAIN_S = 5


class Process:
    """What one worker process holds; there is one instance in each."""

    reader: Reader
    heartbeat: Heartbeat

    def __init__(self) -> None:
        self.processes = 1
        # Shared by the parent and all its processes: has any of them served yet?
        self.served = multiprocessing.Event()

    def start(self) -> None:
        """Pin, load, warm, then announce."""
        settings = WorkerSettings()
        part = share(
            getattr(current_process(), "index", 0),
            self.processes,
            os.sched_getaffinity(0),
            container_quota(),
        )
        part.pin()

        from model.ensemble import Ensemble

        ensemble = Ensemble.load(settings.bundle, settings.engine, part.threads)
        redis = patient(settings)
        worker = f"{socket.gethostname()}:{os.getpid()}"
        ledger = Ledger(redis, settings, wall_clock_ms)
        readiness = Readiness(redis, settings, wall_clock_ms)
        pace = Pace(_member_us(ensemble))
        self.heartbeat = Heartbeat(
            worker, ensemble.bundle.id, pace, ledger, readiness, settings.lease_ms
        )
        self.reader = Reader(
            ensemble,
            redis,
            ledger,
            readiness,
            self.heartbeat,
            Scheduler(pace, settings.backlog_ms, wall_clock_ms),
            pace,
            settings.max_queue,
            wall_clock_ms,
        )
        self.heartbeat.start()
        self.served.set()
        logger.info(
            "%s reads with %s on %s, %d members, cores %s",
            worker,
            ensemble.bundle.id,
            settings.engine,
            ensemble.size,
            sorted(part.cores) or f"any {part.threads}",
        )


def _member_us(ensemble: Ensemble) -> int:
    """What one member costs at first, from one more golden image."""
    began_ns = time.perf_counter_ns()
    ensemble.check(ensemble.bundle.manifest.golden[0])
    return (time.perf_counter_ns() - began_ns) // 1000 // ensemble.size


process = Process()


@celeryd_after_setup.connect
def _prepare(instance: Any, **_: Any) -> None:
    """Runs in the parent before it forks."""
    process.processes = instance.concurrency
    os.nice(_NICENESS)


@worker_process_init.connect
def _start(**_: Any) -> None:
    try:
        process.start()
    except Exception as error:
        # Celery would log this and let a process without an ensemble take work.
        logger.critical("this process cannot serve: %s", error, exc_info=True)
        if process.served.is_set():
            # Its siblings serve. It will be replaced, and the cause may be gone by then.
            time.sleep(_TRY_AGAIN_S)
        else:
            os.kill(os.getppid(), signal.SIGTERM)
        os._exit(os.EX_CONFIG)


@worker_process_stop.connect
def _stop(**_: Any) -> None:
    process.heartbeat.stop()


@task_failure.connect
def _lost(sender: Any, exception: BaseException, kwargs: Any, **_: Any) -> None:
    """Runs in the parent when a process died: its request need not wait for the lease."""
    if sender.name == READ_TASK and isinstance(exception, WorkerLostError):
        settings = WorkerSettings()
        with patient(settings) as redis:
            Ledger(redis, settings, wall_clock_ms).abandon(kwargs["image_key"], kwargs["place"])
