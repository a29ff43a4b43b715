"""The witness: notes what this front replied, and hands it over to the logbook when it gets round.

To note is to put something into a list that has an end. What finds no room there, because nobody
has taken what came before, is counted.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from web.glance import Glance
from web.metrics import Metrics
from web.problem import Problem
from web.wire import is_uuid
from workers.contract.clock import Clock
from workers.contract.evidence import Batch, Evidence, Kept
from workers.contract.mailbox import Slot

logger = logging.getLogger(__name__)

# So much waits for a logbook that is away or behind: minutes of a calm service, seconds of a storm.
# Of that, refusals at the door, of which there may be thousands a second, get the half.
_MOST = 10_000
_MOST_IMAGE_BYTES = 16_000_000

# Encoded at once, as a pause of the front's other work: under a millisecond. Images end a batch.
_BATCH = 100
_BATCH_IMAGE_BYTES = 1_000_000
_HAND_OVER_EVERY_S = 0.1


class Witness:
    """One for each front process; without a folder it notes nothing."""

    def __init__(self, folder: str, metrics: Metrics, clock: Clock) -> None:
        self.is_on = bool(folder)
        self.front = f"{socket.gethostname()}:{os.getpid()}"
        self._slot = Slot(Path(folder).absolute())
        self._metrics = metrics
        self._clock = clock
        self._run = secrets.token_hex(8)
        self._noted: deque[tuple[Evidence, bytes | None]] = deque()
        self._image_bytes = 0
        self._handed_over = self._dropped = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="witness", daemon=True)

    def start(self) -> None:
        """Begin to hand over; at the end of the process once more."""
        if self.is_on:
            self._metrics.count_evidence(handed_over=0)
            self._thread.start()
            atexit.register(self.hand_over)

    def note(self, evidence: Evidence, image: bytes | None = None) -> None:
        """One reply, and its image if that is to be kept."""
        if not self.is_on or self._is_full(_MOST, 1):
            return
        if image is not None and self._image_bytes + len(image) > _MOST_IMAGE_BYTES:
            self._metrics.count_evidence(images_lost=1)
            image = None
        self._image_bytes += len(image or b"")
        self._noted.append((evidence, image))

    def turned_away(self, problem: Problem, algorithm: str, refused: Sequence[Glance]) -> None:
        """Calls were refused at the door; whose they are is told where they had said it."""
        if not self.is_on or self._is_full(_MOST // 2, len(refused)):
            return
        now_ms = self._clock()
        for glance in refused:
            uuid = glance.uuid
            self._noted.append(
                (
                    Evidence(
                        uuid=uuid if uuid is not None and is_uuid(uuid) else None,
                        algorithm=algorithm or None,
                        arrived_ms=now_ms,
                        answered_ms=now_ms,
                        status=problem.status.value,
                        outcome=problem.type,
                        front=self.front,
                    ),
                    None,
                )
            )

    def hand_over(self) -> None:
        """As much of what was noted as the logbook takes; never waits for it."""
        with self._lock:
            while self._noted and self._slot.post(batch := self._batch()):
                for _ in batch.evidence:
                    _, image = self._noted.popleft()
                    self._image_bytes -= len(image or b"")
                self._handed_over += len(batch.evidence)
                self._metrics.count_evidence(handed_over=len(batch.evidence))
                # Whoever else has something to do goes first.
                time.sleep(0)

    def _batch(self) -> Batch:
        evidence, images, size = [], [], 0
        for number, (each, image) in enumerate(islice(self._noted, _BATCH)):
            evidence.append(each)
            if image is not None:
                images.append(Kept(number, image))
                size += len(image)
            if size > _BATCH_IMAGE_BYTES:
                break
        return Batch(self._run, self._handed_over, self._dropped, tuple(evidence), tuple(images))

    def _is_full(self, most: int, count: int) -> bool:
        if len(self._noted) + count <= most:
            return False
        self._dropped += count
        self._metrics.count_evidence(lost=count)
        return True

    def _work(self) -> None:
        while True:
            time.sleep(_HAND_OVER_EVERY_S)
            try:
                self.hand_over()
            except Exception:
                # Without this thread all evidence would be lost: whatever it was, go on.
                logger.exception("evidence was not handed over, trying again")
