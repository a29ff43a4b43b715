"""The real workers with a slower, or a faulty, ensemble: ``celery -A tests.slow_workers worker``.

SLOW_READ_MS, SLOW_MEMBER_MS and SLOW_LOAD_MS are milliseconds added to each reading, to each member
of one and to the loading, so that a test has time to do something in the middle. EXPRESS_MS makes
an express member that takes so long and answers as the first does, BUNCH_MS a bunch that takes so
long for each of its images; without them there is none. READ_FAULT makes the engine ``raise`` on
every image that is not golden, or the process ``die``, ``hang`` for ten minutes, or ``grow`` by a
gigabyte. FREE_BYTES is a file that says how much memory is free.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model.bunch import Bunch
from model.engines import Pixels, Probabilities
from model.ensemble import Ensemble, Reading
from model.express import Express
from workers import room
from workers.celery import app

__all__ = ["app"]

_readings, _load = Ensemble.readings, Ensemble.load


def _slow_readings(self: Ensemble, image: bytes) -> Iterator[Reading]:
    time.sleep(int(os.environ.get("SLOW_READ_MS", "0")) / 1000)
    golden = self.bundle.manifest.golden
    if image not in [self.bundle.path(one.image).read_bytes() for one in golden]:
        match os.environ.get("READ_FAULT"):
            case "raise":
                raise RuntimeError("a fault of the engine")
            case "die":
                os._exit(1)
            case "hang":
                time.sleep(600)
            case "grow":
                hoard = bytearray()
                for _ in range(1024):
                    hoard += b"x" * (1 << 20)
                time.sleep(600)
    return _slowly(_readings(self, image))


def _slowly(readings: Iterator[Reading]) -> Iterator[Reading]:
    for reading in readings:
        time.sleep(int(os.environ.get("SLOW_MEMBER_MS", "0")) / 1000)
        yield reading


def _slow_load(*arguments: Any) -> Ensemble:
    time.sleep(int(os.environ.get("SLOW_LOAD_MS", "0")) / 1000)
    return _load(*arguments)


def _express(ensemble: Ensemble, *_: Any) -> Express | None:
    if "EXPRESS_MS" not in os.environ:
        return None
    took_ms = int(os.environ["EXPRESS_MS"])

    def readings(image: bytes) -> Iterator[Reading]:
        reading = next(_readings(ensemble, image))
        time.sleep(took_ms / 1000)
        yield replace(reading, settled=False)

    return Express(readings, took_ms * 1000)


def _bunch(ensemble: Ensemble, *_: Any) -> Bunch | None:
    if "BUNCH_MS" not in os.environ:
        return None
    took_ms = int(os.environ["BUNCH_MS"])

    def network(several: Pixels) -> Probabilities:
        time.sleep(took_ms * len(several) / 1000)
        return np.stack([ensemble.networks[0](pixels) for pixels in several])

    return Bunch(ensemble, network, took_ms * 1000)


Bunch.load = _bunch  # type: ignore[assignment, method-assign]
Express.load = _express  # type: ignore[assignment, method-assign]
Ensemble.readings = _slow_readings  # type: ignore[method-assign]
Ensemble.load = _slow_load  # type: ignore[assignment, method-assign]
if file := os.environ.get("FREE_BYTES"):
    vars(room)["free_bytes"] = lambda: int(Path(file).read_text())
