"""The desk of a worker process: what it works on jobs with, for as long as JOBS names a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis

from workers.contract.clock import Clock, steady_clock_ms
from workers.contract.contents import Contents
from workers.contract.files import Files
from workers.contract.items import Items
from workers.contract.jobs import Jobs
from workers.contract.keys import algorithm_of
from workers.contract.line import Line
from workers.contract.slices import Slices
from workers.contract.uploads import Uploads
from workers.feeder import Feeder
from workers.inputs import Inputs
from workers.jobs import JobReader
from workers.settings import WorkerSettings
from workers.unpacking import Unpacker

if TYPE_CHECKING:
    from model.algorithm import Algorithm


class Desk:
    """The reader of jobs, and the feeder beside it.

    Args:
        ensemble: what reads.
        redis: a client that gives up soon, for the line of the ensemble's bundle.
        settings: JOBS among them.
        clock: in epoch milliseconds.
    """

    def __init__(
        self, ensemble: Algorithm, redis: Redis, settings: WorkerSettings, clock: Clock
    ) -> None:
        line = ensemble.bundle.id
        files = Files(Path(settings.jobs))
        jobs = Jobs(files, settings.jobs_keep_for_ms, settings.jobs_max_bytes, clock)
        items = _items(files, settings)
        contents = Contents(files, settings.task_limit_ms, settings.max_attempts)
        uploads = Uploads(files, settings.jobs_max_bytes, clock)
        slices = Slices(line, redis, settings)
        self.feeder = Feeder(algorithm_of(line), jobs, uploads, slices, clock)
        self.reader = JobReader(
            ensemble,
            Line(line, redis, settings),
            slices,
            jobs,
            items,
            Unpacker(files, contents, Inputs(settings.max_image_bytes)),
            _pictured if ensemble.bundle.manifest.sheet is None else bytes,
            self.feeder.hurry,
            steady_clock_ms,
        )


def give_back(settings: WorkerSettings, ticket: str, *, for_good: bool) -> None:
    """In the parent: the process that worked under this ticket is gone."""
    _items(Files(Path(settings.jobs)), settings).give_back(ticket, for_good=for_good)


def _pictured(file: bytes) -> bytes:
    """What reads characters opens no PDF by itself, and seldom meets one."""
    from model.documents import pictured

    return pictured(file)


def _items(files: Files, settings: WorkerSettings) -> Items:
    return Items(files, settings.task_limit_ms, settings.max_attempts)
