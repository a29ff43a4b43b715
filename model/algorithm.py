"""An algorithm: what a bundle makes of images, be it a reader of characters or of whole sheets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from model.bunch import Bunch
from model.bundle import Bundle
from model.engines.cache import Cache
from model.engines.speed import chosen
from model.ensemble import Ensemble, Reading
from model.express import Express
from model.manifest import Golden

logger = logging.getLogger(__name__)


class Algorithm(Protocol):
    """A loaded bundle that answers step by step."""

    @property
    def bundle(self) -> Bundle:
        """What was loaded."""

    @property
    def size(self) -> int:
        """How many members a full answer has."""

    @property
    def express(self) -> Express | None:
        """The express member, if there is one."""

    @property
    def bunch(self) -> Bunch | None:
        """What reads several images at once, where that saves time."""

    def check(self, golden: Golden) -> None:
        """Read one of the bundle's golden images; BundleInvalid if it reads differently."""

    def probe(self) -> None:
        """Begin to read a golden image; raises what ``readings`` does."""

    def read(self, image: bytes) -> Reading:
        """The whole answer; raises what ``readings`` does."""

    def readings(self, image: bytes) -> Iterator[Reading]:
        """Answers that become better; the last of them is whole.

        Raises:
            ImageUnreadable: the file is none that can be read.
            EngineFailed: no answer came out; raised while asking.
        """


def load(folder: Path, engine_name: str, threads: int, cache: Cache | None = None) -> Algorithm:
    """Verify a bundle, load what it holds and check its golden answers.

    The engine may be ``model.engines.AUTO``.

    Raises:
        BundleInvalid: the folder is not what its manifest says, or answers differently.
        EngineUnavailable: the engine is not installed.
    """
    bundle = Bundle.open(folder)
    engine_name = chosen(engine_name, bundle, threads, cache)
    logger.info("%s computes with %s", bundle.id, engine_name)
    if bundle.manifest.sheet is None:
        ensemble = Ensemble.load(folder, engine_name, threads, cache)
        ensemble.express = Express.load(ensemble, engine_name, threads, cache)
        ensemble.bunch = Bunch.load(ensemble, engine_name, threads, cache)
        return ensemble
    # It draws in what opens PDFs, which readers of characters do without.
    from model.sheet import SheetReader

    return SheetReader.load(folder, engine_name, threads, cache)
