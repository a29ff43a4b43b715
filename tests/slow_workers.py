"""The real workers with a slower, or a faulty, ensemble: ``celery -A tests.slow_workers worker``.

SLOW_READ_MS and SLOW_LOAD_MS are milliseconds added to each reading and to the loading, so that
a test has time to kill something in the middle. READ_FAULT makes the engine ``raise`` on every
image that is not golden, or the process ``die``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from model.ensemble import Ensemble, Reading
from workers import app

__all__ = ["app"]

_read, _load = Ensemble.read, Ensemble.load


def _slow_read(self: Ensemble, image: bytes) -> Reading:
    time.sleep(int(os.environ.get("SLOW_READ_MS", "0")) / 1000)
    if image not in self._images.values():
        match os.environ.get("READ_FAULT"):
            case "raise":
                raise RuntimeError("a fault of the engine")
            case "die":
                os._exit(1)
    return _read(self, image)


def _slow_load(folder: Path, engine_name: str, threads: int) -> Ensemble:
    time.sleep(int(os.environ.get("SLOW_LOAD_MS", "0")) / 1000)
    return _load(folder, engine_name, threads)


Ensemble.read = _slow_read  # type: ignore[method-assign]
Ensemble.load = _slow_load  # type: ignore[assignment, method-assign]
