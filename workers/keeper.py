"""``python -m workers.keeper COMMAND...``: runs a worker for each version that is to be served.

COMMAND starts one, ``celery -A workers worker ...``; BUNDLE tells it which. The keeper looks at the
roster once a second, starts what is missing and stops what was retired. So a new version comes up
beside the old one, in processes of its own, wherever workers run.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from redis import RedisError

from model.bundle import Bundle
from model.errors import BundleInvalid
from model.store import Store
from workers.cards import Cards
from workers.contract.clock import Clock, steady_clock_ms, wall_clock_ms
from workers.contract.connection import impatient
from workers.contract.keys import algorithm_of
from workers.contract.logs import set_up
from workers.contract.published import PublishedCards
from workers.contract.register import Register
from workers.roster import Roster, RosterBroken
from workers.settings import WorkerSettings

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0

# What ends is started again, the later the more often it has ended soon after its start.
_FIRST_PAUSE_MS: Final = 1_000
_LONGEST_PAUSE_MS: Final = 30_000
_LASTING_MS: Final = 60_000

# A worker finishes what it has in hand: so long a caller may wait, and a little more.
_STOP_WITHIN_MS: Final = 40_000


class Worker:
    """The Celery worker of one version, started again whenever it ends."""

    def __init__(
        self, line: str, command: Sequence[str], environment: Mapping[str, str], clock: Clock
    ) -> None:
        self._line, self._command, self._environment = line, command, environment
        self._clock = clock
        self._pause_ms = _FIRST_PAUSE_MS
        self._stopping_ms: int | None = None
        self._ended_ms: int | None = None
        self._start()

    def look(self) -> None:
        """Start it again when it has ended, and its pause too."""
        now_ms = self._clock()
        if not self.has_ended:
            return
        if self._ended_ms is None:
            lasted = now_ms - self._began_ms >= _LASTING_MS
            self._pause_ms = _FIRST_PAUSE_MS if lasted else self._pause_ms
            self._ended_ms = now_ms
            logger.warning(
                "the worker of %s has ended (%d), another one follows in %d ms",
                *(self._line, self._process.returncode, self._pause_ms),
            )
        elif now_ms - self._ended_ms >= self._pause_ms:
            self._pause_ms = min(2 * self._pause_ms, _LONGEST_PAUSE_MS)
            self._start()

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more, by itself."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask it to finish and end."""
        if self._stopping_ms is None:
            self._stopping_ms = self._clock()
            self._process.terminate()

    def has_stopped(self) -> bool:
        """Whether it is gone after ``stop``. One that hangs is made to."""
        if self.has_ended:
            return True
        if self._stopping_ms is not None and self._clock() - self._stopping_ms > _STOP_WITHIN_MS:
            os.killpg(self._process.pid, signal.SIGKILL)
        return False

    def _start(self) -> None:
        # In a group of its own: one that hangs goes with its processes.
        self._process = subprocess.Popen(
            self._command, env={**os.environ, **self._environment}, process_group=0
        )
        self._began_ms, self._ended_ms = self._clock(), None


class Keeper:
    """The workers of one algorithm on this machine: that of the bundle in ``settings``."""

    def __init__(
        self, command: Sequence[str], settings: WorkerSettings, register: Register, cards: Cards
    ) -> None:
        self._command = command
        self._settings = settings
        self._register = register
        self._cards = cards
        self._store = Store(Path(settings.bundles))
        self._roster = Roster(Path(settings.bundles), wall_clock_ms)
        self._workers: dict[str, Worker] = {}
        self._leaving: list[Worker] = []
        self._base = ""
        self._told = ""

    def look(self) -> None:
        """Bring what runs nearer to what is to run."""
        try:
            self._see_base()
            algorithm = algorithm_of(self._base)
            versions = self._roster.of(algorithm)
            # Before any worker claims the place that another version was promoted to.
            self._register.restore(algorithm, versions.promoted, versions.previous)
            self._cards.restore()
            self._keep(versions.served(self._base))
            self._told = ""
        except (BundleInvalid, RosterBroken, RedisError) as error:
            # What runs goes on. Said once, and not each second.
            if str(error) != self._told:
                self._told = str(error)
                logger.error("%s", error)
        for worker in self._workers.values():
            worker.look()
        self._reap()

    def stop(self) -> None:
        """Ask all of them to finish and end."""
        self._keep(())

    def has_stopped(self) -> bool:
        """Whether none is left after ``stop``."""
        self._reap()
        return not self._leaving

    def _reap(self) -> None:
        self._leaving = [worker for worker in self._leaving if not worker.has_stopped()]

    def _see_base(self) -> None:
        """Which version the folder BUNDLE holds. One that is replaced serves until it ends."""
        if self._base not in self._workers or self._workers[self._base].has_ended:
            self._base = Bundle.open(self._settings.bundle).id

    def _keep(self, lines: Sequence[str]) -> None:
        for line in self._workers.keys() - set(lines):
            worker = self._workers.pop(line)
            worker.stop()
            self._leaving.append(worker)
        for line in lines:
            if line not in self._workers:
                # Node names of Celery are told apart by what stands before the @.
                command = [*self._command, "-n", f"{line.replace('/', '-')}@%h"]
                environment = {"BUNDLE": str(self._folder(line))}
                self._workers[line] = Worker(line, command, environment, steady_clock_ms)

    def _folder(self, line: str) -> Path:
        """Of the base the path as it was given: a link may be turned to the next release."""
        if line == self._base:
            return self._settings.bundle
        return self._store.open(line).folder


def main() -> int:
    """Keep until SIGTERM."""
    settings = WorkerSettings.read()
    set_up(settings.log_format, logging.INFO)
    if not settings.bundles:
        sys.exit("Cannot start: BUNDLES must name the folder of the bundle store")
    redis = impatient(settings, settings.redis_timeout_ms)
    cards = Cards(Path(settings.bundles), PublishedCards(redis))
    keeper = Keeper(sys.argv[1:], settings, Register(redis, settings), cards)
    ended = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    while not ended.is_set():
        keeper.look()
        ended.wait(_LOOK_EVERY_S)
    keeper.stop()
    while not keeper.has_stopped():
        time.sleep(_LOOK_EVERY_S / 10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
