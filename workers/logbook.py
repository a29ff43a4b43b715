"""``python -m workers.logbook``: takes the evidence of the fronts on this machine, and keeps it.

No front waits for it. While the disk is full or does not answer, this process waits, what comes
stays with the fronts, and they count what finds no room there.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.evidence import Batch
from workers.contract.logbook import FILE
from workers.contract.mailbox import Mailbox
from workers.contract.settings import EvidenceSettings
from workers.scribe import OtherVersion, Scribe

logger = logging.getLogger(__name__)

# Whatever else runs on its cores goes first.
_NICENESS = 19

_LOOK_EVERY_S = 1.0
# Started anew, it would soon fail again.
_TRY_AGAIN_S = 5
_REMOVE_EVERY_MS = 60_000
_DAY_MS = 86_400_000


class Clerk:
    """Keeps what a mailbox brings until it is told to stop."""

    def __init__(
        self,
        folder: Path,
        mailbox: Mailbox,
        settings: EvidenceSettings,
        stopped: threading.Event,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._mailbox = mailbox
        self._settings = settings
        self._stopped = stopped
        self._clock = clock
        self._scribe: Scribe | None = None
        self._remove_ms = 0
        self._fails = False

    def run(self) -> None:
        """Until it is stopped and nothing is left, or fronts would not find the mailbox any more.

        Raises:
            OtherVersion: the logbook cannot be continued.
            sqlite3.DatabaseError: it is damaged.
        """
        try:
            while self._mailbox.is_there:
                came = self._mailbox.take(0 if self._stopped.is_set() else _LOOK_EVERY_S)
                if came:
                    self._until_done(partial(self._keep, _batches(came)))
                elif self._stopped.is_set():
                    return
                if self._clock() >= self._remove_ms:
                    self._until_done(self._remove)
            logger.error("%s was removed: starting anew", self._folder)
        finally:
            self._close()

    def _keep(self, batches: list[Batch], scribe: Scribe) -> None:
        scribe.append(batches, self._clock(), keeps_images=self._settings.keeps_images)

    def _remove(self, scribe: Scribe) -> None:
        now_ms, days = self._clock(), self._settings.evidence_days
        image_days = min(days, self._settings.evidence_image_days)
        more = scribe.remove_older(now_ms - days * _DAY_MS, now_ms - image_days * _DAY_MS)
        # What is over is removed bit by bit, what comes is kept in between.
        self._remove_ms = now_ms + (0 if more else _REMOVE_EVERY_MS)

    def _until_done(self, write: Callable[[Scribe], None]) -> None:
        """Try again every second for as long as the disk takes nothing."""
        while True:
            try:
                self._scribe = self._scribe or Scribe(self._folder)
                write(self._scribe)
            except (sqlite3.OperationalError, OSError) as error:
                self._close()
                if not self._fails:
                    logger.error("%s takes nothing: %s; trying again", self._folder, error)
                self._fails = True
                if self._stopped.is_set():
                    logger.error("stopped, and what could not be written is lost")
                    return
                self._stopped.wait(_LOOK_EVERY_S)
            else:
                if self._fails:
                    logger.warning("%s is written again", self._folder)
                self._fails = False
                return

    def _close(self) -> None:
        if self._scribe is not None:
            with suppress(sqlite3.Error):
                self._scribe.__exit__()
            self._scribe = None


def _batches(came: list[bytes]) -> list[Batch]:
    batches = []
    for data in came:
        try:
            batches.append(Batch.from_bytes(data))
        except ValueError as error:
            logger.error("left out: %s", error)
    return batches


def main() -> int:
    """Run until SIGTERM or SIGINT; what has come by then is kept."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = EvidenceSettings.read()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    if not settings.evidence:
        print("EVIDENCE names no folder: nothing is kept.", file=sys.stderr)
        stopped.wait()
        return 0
    os.nice(_NICENESS)
    folder = Path(settings.evidence).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _wait_for_turn(folder, stopped):
            return 0
        with Mailbox(folder) as mailbox:
            Clerk(folder, mailbox, settings, stopped, wall_clock_ms).run()
    except (OSError, OtherVersion, sqlite3.DatabaseError) as error:
        print(f"Cannot keep evidence in {folder / FILE}: {error}", file=sys.stderr)
        stopped.wait(_TRY_AGAIN_S)
        return 1
    return 0 if stopped.is_set() else 1


def _wait_for_turn(folder: Path, stopped: threading.Event) -> bool:
    """One logbook keeps a folder; another one waits until that ends. False when it was stopped."""
    descriptor = os.open(folder, os.O_RDONLY)  # held until this process ends
    while not stopped.is_set():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stopped.wait(_LOOK_EVERY_S)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
