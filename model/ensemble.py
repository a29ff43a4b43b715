"""The ensemble: several networks, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.bundle import Bundle
from model.engines import Network, Probabilities, engine
from model.errors import BundleInvalid
from model.image import decode
from model.manifest import Golden, Manifest


@dataclass(frozen=True)
class Reading:
    """What an ensemble reads in one image."""

    answer: str
    probability: float
    members: int


class Ensemble:
    """Loaded members and the rules by which they answer together."""

    def __init__(self, bundle: Bundle, networks: Sequence[Network]) -> None:
        self.bundle = bundle
        self._networks = tuple(networks)

    @classmethod
    def load(cls, folder: Path, engine_name: str, threads: int) -> Ensemble:
        """Verify a bundle, load every member and check the golden answers.

        The golden images also warm the engine: the first caller pays nothing.

        Raises:
            BundleInvalid: the folder is not what its manifest says, or answers differently.
            EngineUnavailable: the engine is not installed.
        """
        bundle = Bundle.open(folder)
        load = engine(engine_name).load
        members = bundle.manifest.members
        ensemble = cls(bundle, [load(bundle.path(member.graph), threads) for member in members])
        for golden in bundle.manifest.golden:
            ensemble.check(golden)
        return ensemble

    @property
    def size(self) -> int:
        """How many members a full answer has."""
        return len(self._networks)

    def check(self, golden: Golden) -> None:
        """Read one golden image.

        Raises:
            BundleInvalid: it reads differently from what the manifest says.
        """
        answer = self.read(self.bundle.path(golden.image).read_bytes()).answer
        if answer != golden.answer:
            raise BundleInvalid(
                f"{self.bundle.id}: {golden.image.path} reads {answer!r}, "
                f"the manifest says {golden.answer!r}"
            )

    def read(self, image: bytes) -> Reading:
        """Read one image file with all members.

        Raises:
            ImageUnreadable: see ``model.image.decode``.
        """
        manifest = self.bundle.manifest
        pixels = decode(image, manifest.input.height, manifest.input.width).astype(np.float32)
        mean = np.mean([network(pixels) for network in self._networks], axis=0)
        return _answer(manifest, mean, len(self._networks))


def _answer(manifest: Manifest, probabilities: Probabilities, members: int) -> Reading:
    """The best class, or `isnull` where the bundle's rule says so."""
    tempered = probabilities ** (1.0 / manifest.calibration.temperature)
    tempered /= tempered.sum()
    best = int(tempered.argmax())
    answer, probability = manifest.labels[best], float(tempered[best])
    if manifest.isnull and probability < manifest.isnull.threshold:
        answer = manifest.isnull.label
    return Reading(answer, probability, members)
