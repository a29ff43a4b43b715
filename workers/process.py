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
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

from billiard import current_process
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.exceptions import WorkerLostError
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    task_failure,
    task_postrun,
    worker_process_init,
)
from celery.signals import worker_process_shutdown as worker_process_stop

from model.bundle import Bundle
from model.errors import BundleInvalid
from workers.bounds import EndWhatIsBeyondBounds, Watch, resident_bytes
from workers.celery import app, take_from
from workers.container import cpu_quota
from workers.contract.clock import steady_clock_ms, wall_clock_ms
from workers.contract.connection import impatient, patient
from workers.contract.keys import algorithm_of
from workers.contract.line import Line
from workers.contract.message import READ_TASK, SLICE_TASK, ReadRequest
from workers.contract.shadow import Shadow
from workers.contract.sketches import Sketches
from workers.control import refuse_what_breaks
from workers.cores import claim, share
from workers.desk import Desk, give_back
from workers.hands import Hand
from workers.heartbeat import Heartbeat
from workers.pace import Pace
from workers.reader import Reader
from workers.room import NoRoom, turn
from workers.scheduler import Scheduler
from workers.settings import WorkerSettings
from workers.shadow import ReadingAlong
from workers.sketcher import Sketcher
from workers.streak import Streak
from workers.told import Told
from workers.traces import Traces

logger = logging.getLogger(__name__)

# Where they share cores, the front and Redis go first: they need little, but need it on time.
_NICENESS = 5

# How long a process that could not load waits before another one tries.
_TRY_AGAIN_S = 5


class BundleChanged(Exception):
    """Another version has taken the folder's place: the worker is to be started anew with it."""


class Process:
    """What one worker process holds; there is one instance in each."""

    reader: Reader
    streak: Streak
    told: Told
    heartbeat: Heartbeat
    traces: Traces
    desk: Desk | None = None
    sketcher: Sketcher | None = None

    def __init__(self) -> None:
        # The bundle's name, which the parent has read, and its settings: the queues are its.
        self.line = ""
        self.settings: WorkerSettings
        self.processes = 1
        self.pins = True
        # As Celery calls the parent, and what each of its processes has in hand.
        self.name = ""
        self.hands = [Hand()]
        # Shared by the parent and all its processes: how large they are with an ensemble, 0 until
        # one of them has loaded it.
        self.loaded_bytes = multiprocessing.Value("q", 0)

    def start(self) -> None:
        """Pin, load, warm, then announce."""
        settings, index = self.settings, getattr(current_process(), "index", 0)
        part = share(
            index,
            self.processes,
            os.sched_getaffinity(0),
            cpu_quota(),
        )
        if self.pins:
            part.pin()

        from model.algorithm import load
        from model.engines.cache import Cache

        cache = Cache(Path(settings.engine_cache)) if settings.engine_cache else None
        with turn(settings.bundle, self.processes, lambda: self.loaded_bytes.value):
            ensemble = load(settings.bundle, settings.engine, part.threads, cache)
            self.loaded_bytes.value = max(self.loaded_bytes.value, resident_bytes(os.getpid()))
        if ensemble.bundle.id != self.line:
            raise BundleChanged(f"{settings.bundle} holds {ensemble.bundle.id}, not {self.line}")
        worker = f"{socket.gethostname()}:{os.getpid()}"
        # A beat is worth nothing later: it does not wait for a Redis that is away.
        hasty = impatient(settings, settings.redis_timeout_ms)
        pace = Pace.of(ensemble)
        self.heartbeat = Heartbeat(
            worker,
            Line(self.line, hasty, settings),
            pace,
            settings,
            steady_clock_ms,
            ensemble.bundle.digest,
        )
        self.traces = Traces(settings.otel_exporter_otlp_endpoint)
        self.traces.start()
        self.reader = Reader(
            ensemble,
            Line(self.line, patient(settings), settings),
            self.heartbeat,
            Scheduler(pace, wall_clock_ms),
            pace,
            wall_clock_ms,
            ReadingAlong(ensemble, Shadow(hasty)),
            self.traces,
        )
        self.told = Told(app, self.name)
        self.told.start()
        self.streak = Streak(self.reader, self.hands[index], self.told, steady_clock_ms)
        if sheet := ensemble.bundle.manifest.sheet:
            self.sketcher = Sketcher(Sketches(hasty), sheet.pages)
        if settings.jobs:
            self.desk = Desk(ensemble, hasty, settings, wall_clock_ms)
            self.desk.feeder.start()
        self.heartbeat.start()
        logger.info(
            "%s reads with %s, %d members, cores %s",
            worker,
            ensemble.bundle.id,
            ensemble.size,
            sorted(part.cores) or f"any {part.threads}",
        )


process = Process()


@celeryd_init.connect
def _choose_line(**_: Any) -> None:
    """Runs in the parent, before Celery looks at its queues."""
    settings = WorkerSettings.read()
    try:
        bundle = Bundle.open(settings.bundle)
    except BundleInvalid as error:
        sys.exit(f"Cannot start: {error}")
    process.line, process.settings = bundle.id, settings.granting(bundle.manifest)
    if settings.algorithm not in ("", algorithm_of(process.line)):
        sys.exit(f"Cannot start: ALGORITHM is {settings.algorithm}, BUNDLE is {process.line}")
    take_from(process.line, jobs=bool(settings.jobs))


@celeryd_after_setup.connect
def _prepare(instance: Any, **_: Any) -> None:
    """Runs in the parent before it forks."""
    if instance.pool_cls is not PreforkPool:
        # Engines, pinning and bounds are those of processes; of anything else Celery would let
        # tasks run that no ensemble was loaded for.
        sys.exit("Workers read in processes of their own: start them with --pool=prefork.")
    refuse_what_breaks()
    settings = process.settings
    EndWhatIsBeyondBounds.watch = Watch(
        settings.task_limit_ms,
        lambda: process.loaded_bytes.value + settings.task_memory_bytes,
        _give_up,
    )
    process.processes, process.name = instance.concurrency, instance.hostname
    process.hands = [Hand() for _ in range(instance.concurrency)]
    process.pins = claim(os.sched_getaffinity(0))
    os.nice(_NICENESS)


@worker_process_init.connect
def _start(**_: Any) -> None:
    try:
        process.start()
    except NoRoom as error:
        logger.warning("this process waits for memory: %s", error)
        time.sleep(_TRY_AGAIN_S)
        os._exit(os.EX_TEMPFAIL)
    except Exception as error:
        # Celery would log this and let a process without an ensemble take work.
        logger.critical("this process cannot serve: %s", error, exc_info=True)
        if process.loaded_bytes.value and not isinstance(error, BundleChanged):
            # Its siblings serve. It will be replaced, and the cause may be gone by then.
            time.sleep(_TRY_AGAIN_S)
        else:
            os.kill(os.getppid(), signal.SIGTERM)
        os._exit(os.EX_CONFIG)


@task_postrun.connect
def _ended(**_: Any) -> None:
    process.heartbeat.moved()


@worker_process_stop.connect
def _stop(**_: Any) -> None:
    if process.desk:
        process.desk.feeder.stop()
    process.heartbeat.stop()
    process.told.stop()
    process.traces.stop()


@task_failure.connect
def _lost(sender: Any, task_id: str, exception: BaseException, kwargs: Any, **_: Any) -> None:
    """Runs in the parent when a process died: what it had need not wait for the lease."""
    if isinstance(exception, WorkerLostError):
        _abandon(sender.name, task_id, kwargs)


def _give_up(task: Any) -> None:
    """Runs in the parent when a task was beyond its bounds: another try would be, too."""
    _abandon(task.name, task.id, task.kwargs, for_good=True)


def _abandon(name: str, task_id: str, fields: Any, *, for_good: bool = False) -> None:
    settings = process.settings
    if name == READ_TASK:
        with patient(settings) as redis:
            ticket = fields["ticket"]
            held = list(chain.from_iterable(hand.within(ticket) for hand in process.hands))
            own = ReadRequest(task_id, ticket, account=fields.get("account", ""))
            line = Line(process.line, redis, settings)
            for request in held or [own]:
                # Of several it is not known which one was too much.
                line.abandon(request.name, request.ticket, for_good=for_good and len(held) <= 1)
    elif name == SLICE_TASK:
        give_back(settings, fields["ticket"], for_good=for_good)
