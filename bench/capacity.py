"""Capacity: how many images the cores can read in a second, with nothing but the engine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import time
from dataclasses import asdict, dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import harmonic_mean, mean, median
from typing import Any, NamedTuple

from bench.errors import BenchError
from bench.pictures import Pictures

_WARM_UP = 5
_PICTURES = 50
_LOAD_WITHIN_S = 300


@dataclass(frozen=True)
class Capacity:
    """What an answer of all members on one thread costs, decoding included.

    ``alone_ms``: while the other cores idle. ``together_ms``: while all do the same, which is how
    they would serve; cores of a virtual machine often share one. Both are medians. ``settled_ms``:
    of an answer that ends where the bundle says that no further member would change it, on average
    while all do the same.
    """

    bundle: str
    members: int
    engine: str
    cores: int
    alone_ms: float
    together_ms: float
    settled_ms: float

    @property
    def per_s(self) -> float:
        """C: full answers in a second, cores divided by the time of one."""
        return self.cores * 1000 / self.together_ms

    def describe(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self) | {"C per s": round(self.per_s, 1)}


def measure(bundle: Path, pictures: Pictures, engine: str, seconds: float) -> Capacity:
    """Read pictures on one core and then on all of them at once; engines as of ``peers.reader``.

    Raises:
        BenchError: the bundle does not load.
    """
    cores = sorted(os.sched_getaffinity(0))
    images = [picture.jpeg for picture, _ in zip(pictures, range(_PICTURES), strict=False)]
    alone = _run(bundle, engine, images, cores[:1], seconds)[0]
    found = _run(bundle, engine, images, cores, seconds)
    together_ms = harmonic_mean([each.whole_ms for each in found])
    settled_ms = harmonic_mean([each.settled_ms for each in found])
    return Capacity(
        alone.bundle, alone.members, engine, len(cores), alone.whole_ms, together_ms, settled_ms
    )


class _Found(NamedTuple):
    """What one core found: the median of whole answers, the mean of those that end early."""

    bundle: str
    members: int
    whole_ms: float
    settled_ms: float


def _run(
    bundle: Path, engine: str, images: list[bytes], cores: list[int], seconds: float
) -> list[_Found]:
    # Engines do not survive a fork.
    context = multiprocessing.get_context("spawn")
    found: Queue[_Found | str] = context.Queue()
    start = context.Barrier(len(cores))
    processes = [
        context.Process(target=_read, args=(bundle, engine, images, core, seconds, start, found))
        for core in cores
    ]
    try:
        for process in processes:
            process.start()
        results = [_sound(found.get(timeout=_LOAD_WITHIN_S + seconds)) for _ in cores]
    except queue.Empty:
        raise BenchError(f"{bundle} did not load within {_LOAD_WITHIN_S} s") from None
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return results


def _sound(result: _Found | str) -> _Found:
    if isinstance(result, str):
        raise BenchError(result)
    return result


def _read(
    bundle: Path,
    engine: str,
    images: list[bytes],
    core: int,
    seconds: float,
    start: Barrier,
    found: Queue[_Found | str],
) -> None:
    """Runs in a process of its own, pinned as a worker process is."""
    os.sched_setaffinity(0, {core})
    from bench.peers.reader import load

    try:
        ensemble = load(bundle, engine)
    except Exception as error:  # noqa: BLE001 - engines and bundles have many, and all are told
        found.put(f"{type(error).__name__}: {error}")
        return
    for image in images[:_WARM_UP]:
        ensemble.read(image)
    start.wait()
    whole_ms: list[float] = []
    settled_ms: list[float] = []
    until_s = time.perf_counter() + seconds
    while (began_s := time.perf_counter()) < until_s:
        for reading in ensemble.readings(images[len(whole_ms) % len(images)]):
            if reading.settled and len(settled_ms) == len(whole_ms):
                settled_ms.append((time.perf_counter() - began_s) * 1000)
        whole_ms.append((time.perf_counter() - began_s) * 1000)
    found.put(_Found(ensemble.bundle.id, ensemble.size, median(whole_ms), mean(settled_ms)))
