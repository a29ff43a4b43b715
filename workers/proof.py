"""The proof: a bundle's golden images are read as its manifest says, on this machine."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

from model.bundle import Bundle
from model.errors import BundleInvalid, EngineUnavailable
from workers.settings import WorkerSettings

_LEAST_NICE: Final = 19


def prove(bundle: Bundle, settings: WorkerSettings) -> None:
    """Read the golden images, below whatever else this machine has to do.

    In a process of its own, whose memory is free again when the bundle's own processes start. What
    the engine compiles there is kept for them, where there is a cache.

    Raises:
        BundleInvalid: an image reads differently, or this machine cannot read with it.
    """
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned) as processes:
        try:
            processes.submit(_read, bundle.folder, settings.engine, settings.engine_cache).result()
        except BrokenProcessPool as error:
            raise BundleInvalid(
                f"{bundle.id}: what read its golden images was ended: is memory short?"
            ) from error


def _read(folder: Path, engine: str, cache: str) -> None:
    os.nice(_LEAST_NICE)

    from model.algorithm import load
    from model.engines.cache import Cache

    try:
        load(folder, engine, 1, Cache(Path(cache)) if cache else None)
    except EngineUnavailable as error:
        raise BundleInvalid(str(error)) from error
