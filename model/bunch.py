"""The bunch: the first member asked about several images in one call, for when many wait.

An engine takes less time for each of several images than for one alone, as it reads the weights
once for all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Final, Self

import numpy as np

from model.engines import Network, Pixels, Port, Probabilities, blank, engine
from model.engines.cache import Cache
from model.engines.speed import WORTH, took_us

if TYPE_CHECKING:
    from model.ensemble import Ensemble, Reading

logger = logging.getLogger(__name__)

# As far as a probability may be from what the member says of the image alone.
_ALIKE: Final = 0.01

_ROUNDS: Final = 15


@dataclass(frozen=True)
class Bunch:
    """Of one ensemble. Each of a full bunch's images took ``took_us`` here."""

    # How many images it is asked about: with twice as many, each takes a tenth less.
    MOST: ClassVar[int] = 4

    ensemble: Ensemble
    network: Network
    took_us: int

    @classmethod
    def load(
        cls, ensemble: Ensemble, engine_name: str, threads: int, cache: Cache | None
    ) -> Self | None:
        """None where it would save nothing, or the member's graph is for one image at a time."""
        bundle, member = ensemble.bundle, ensemble.networks[0]
        graph = bundle.path(bundle.manifest.members[0].graph)
        try:
            network = engine(engine_name).load(graph, threads, cache, Port(images=cls.MOST))
            alike = _answers_alike(network, member, _samples(ensemble, cls.MOST))
        except Exception as error:  # noqa: BLE001 - every engine has its own
            logger.info("%s: its first member reads one image at a time: %s", bundle.id, error)
            return None
        if not alike:
            logger.info("%s: its first member answers otherwise of several images", bundle.id)
            return None
        sheet = blank(bundle.manifest.input.height, bundle.manifest.input.width)
        several = np.stack([sheet] * cls.MOST)
        took = took_us({"one": member, "all": lambda _: network(several)}, sheet, _ROUNDS)
        each_us = took["all"] // cls.MOST
        return cls(ensemble, network, each_us) if each_us <= WORTH * took["one"] else None

    def readings(self, images: Sequence[Pixels]) -> list[Iterator[Reading]]:
        """Ask the first member about ``MOST`` images; each goes on by itself, from its answer.

        Raises:
            EngineFailed: no probabilities came out for one of them.
        """
        firsts = self.network(np.stack(images))
        begun = map(self.ensemble.ask, images, firsts)
        return [chain((next(readings),), readings) for readings in begun]


def _samples(ensemble: Ensemble, count: int) -> Pixels:
    """Golden images of the bundle, each of them another one as far as there are as many."""
    files = [*ensemble.examples.images.values()][:count]
    pixels = [ensemble.pixels(file) for file in files]
    # The same ones upside down: where images are mixed up, it shows.
    return np.stack((pixels + [each[::-1] for each in pixels] * count)[:count])


def _answers_alike(network: Network, member: Network, images: Pixels) -> bool:
    alone: Probabilities = np.stack([member(pixels) for pixels in images])
    return bool(np.abs(network(images) - alone).max() <= _ALIKE)
