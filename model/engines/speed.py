"""Speed: which of several networks is the fastest here and now, and so which engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final

from model.bundle import Bundle
from model.engines import AUTO, ENGINES, REDUCED, Network, Pixels, blank, engine
from model.engines.cache import Cache
from model.errors import BundleInvalid, EngineUnavailable

logger = logging.getLogger(__name__)

# An engine that answers otherwise more often than once in a hundred is not taken unasked.
_LEAST_AGREEMENT = 0.99

# What is asked instead of a member has to be done in so much of its time.
WORTH: Final = 0.9

_ROUNDS = 25


def took_us(networks: Mapping[str, Network], pixels: Pixels, rounds: int) -> dict[str, int]:
    """The median of how long each took, in microseconds; they take turns."""
    took: dict[str, list[int]] = {name: [] for name in networks}
    for _ in range(rounds):
        for name, network in networks.items():
            began_ns = time.perf_counter_ns()
            network(pixels)
            took[name].append((time.perf_counter_ns() - began_ns) // 1000)
    return {name: int(median(each)) for name, each in took.items()}


def agreeing(bundle: Bundle) -> list[str]:
    """The engines with fewer digits that the bundle says answer alike often enough."""
    share = bundle.manifest.engines
    return [name for name in REDUCED if share.get(name, 0) >= _LEAST_AGREEMENT]


def chosen(name: str, bundle: Bundle, threads: int, cache: Cache | None) -> str:
    """The engine of that name; for ``AUTO`` the fastest that the bundle says agrees.

    Measured with the first member, and remembered in the cache for this machine and bundle.

    Raises:
        BundleInvalid: the first member does not run.
        EngineUnavailable: OpenVINO is not installed.
    """
    if name != AUTO:
        return name
    # TensorFlow took 1.3 to 2.4 times as long wherever it was measured, and 300 MB.
    names = [ENGINES[0], *agreeing(bundle)]
    if len(names) == 1:
        return names[0]
    # Whoever names another engine can do without this one's package.
    from model.engines import openvino

    key = ("fastest", *openvino.machine(), bundle.digest, str(threads))
    if cache and (known := cache.get(*key)):
        return known.decode()
    graph = bundle.path(bundle.manifest.members[0].graph)
    size = bundle.manifest.input
    networks = loaded(names, graph, threads, cache)
    try:
        took = took_us(networks, blank(size.height, size.width), _ROUNDS)
    except Exception as error:  # every engine has its own
        raise BundleInvalid(f"{bundle.id}: its first member does not run: {error}") from error
    fastest = min(took, key=lambda each: took[each])
    logger.info("of %s, %s is the fastest here (us a member: %s)", bundle.id, fastest, took)
    if cache:
        cache.put(fastest.encode(), *key)
    return fastest


def loaded(
    names: Sequence[str], graph: Path, threads: int, cache: Cache | None
) -> dict[str, Network]:
    """The graph on each of the engines that are there and can run on this CPU."""
    networks = {}
    for name in names:
        with suppress(EngineUnavailable):
            networks[name] = engine(name).load(graph, threads, cache)
    return networks
