"""The real workers with a slower ensemble: ``celery -A tests.slow_workers worker``.

SLOW_READ_MS and SLOW_LOAD_MS are milliseconds added to each reading and to the loading, so that
a test has time to kill something in the middle. The file SLOW_UNTIL, where given, must not exist
for the slowness to apply: creating it makes the workers fast again.
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
    slow_until = os.environ.get("SLOW_UNTIL")
    if not (slow_until and Path(slow_until).exists()):
        time.sleep(int(os.environ.get("SLOW_READ_MS", "0")) / 1000)
    return _read(self, image)


def _slow_load(folder: Path, engine_name: str, threads: int) -> Ensemble:
    time.sleep(int(os.environ.get("SLOW_LOAD_MS", "0")) / 1000)
    return _load(folder, engine_name, threads)


Ensemble.read = _slow_read  # type: ignore[method-assign]
Ensemble.load = _slow_load  # type: ignore[assignment, method-assign]
