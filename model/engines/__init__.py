"""Engines: what runs a member's graph on this machine's cores.

An engine is a module of this package with one function,
``load(graph, threads, cache, port) -> Network``.

``ENGINES`` answer alike to the last digits that matter. Those that are ``REDUCED`` calculate with
fewer digits in less time, on CPUs that are made for it; a bundle says how often they answer alike.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from model.engines.cache import Cache
from model.errors import EngineUnavailable

# At its import OpenVINO tells Google Analytics, unasked, when it finds this package.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

ENGINES = ("openvino", "tensorflow")
REDUCED = ("openvino-bf16",)
# Of the engines, the one that is found to be the fastest.
AUTO = "auto"

Pixels = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]


class Port(NamedTuple):
    """What is wanted of a graph: the name of its output, and the size and number of pictures.

    ``size``: height and width in pixels, of a graph that takes any; None for the graph's own.
    ``images``: so many at a time.
    """

    output: str = "probabilities"
    size: tuple[int, int] | None = None
    images: int = 1


MEMBER = Port()


def blank(height: int, width: int) -> Pixels:
    """A white sheet, to try a network on."""
    return np.full((height, width, 3), 255, np.float32)


class Network(Protocol):
    """A loaded member, or a detector."""

    def __call__(self, pixels: Pixels) -> Probabilities:
        """float32 (height, width, 3), RGB 0-255, to float32 (classes,) that sum to 1.

        That of a detector gives what ``model.detection`` says. One of several images at once has
        an axis for them, the first, on either side.
        """


class Engine(Protocol):
    """The module-level interface of every engine."""

    def load(
        self, graph: Path, threads: int, cache: Cache | None = None, port: Port = MEMBER
    ) -> Network:
        """Load one frozen graph, or what the cache has of it; it may use ``threads`` cores."""


def engine(name: str) -> Engine:
    """The engine of that name, its package imported only now.

    Raises:
        EngineUnavailable: no such engine, its package is not installed, or the CPU is not for it.
    """
    if name not in ENGINES + REDUCED:
        raise EngineUnavailable(f"no engine {name!r}; there are {', '.join(ENGINES + REDUCED)}")
    try:
        module: Engine = importlib.import_module(f"model.engines.{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise EngineUnavailable(f"engine {name!r} needs the package {error.name!r}") from error
    return module
