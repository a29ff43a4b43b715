"""The reference: what the full ensemble reads in the very images that a server has answered."""

from __future__ import annotations

import base64
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from bench.caller import Record

if TYPE_CHECKING:
    from model.ensemble import Ensemble

_CHUNK = 16

_ensemble: list[Ensemble] = []


def full_accuracy(bundle: Path, records: Sequence[Record]) -> float | None:
    """How many of the images' labels all members together get right, 0-1; None of no images.

    Raises:
        model.errors.ModelError: the bundle does not load.
    """
    if not records:
        return None
    images = [record.call.image for record in records]
    with ProcessPoolExecutor(
        len(os.sched_getaffinity(0)),
        multiprocessing.get_context("spawn"),
        initializer=_load,
        initargs=(bundle,),
    ) as pool:
        answers = pool.map(_read, images, chunksize=_CHUNK)
        return mean(
            answer == record.call.label for answer, record in zip(answers, records, strict=True)
        )


def _load(bundle: Path) -> None:
    from bench.peers.reader import load

    _ensemble.append(load(bundle, "openvino"))


def _read(image: bytes) -> str:
    return _ensemble[0].read(base64.b64decode(image)).answer
