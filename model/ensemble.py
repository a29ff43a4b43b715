"""The ensemble: several networks, one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.bundle import Bundle
from model.engines import Engine, Network, Pixels, Probabilities, engine
from model.engines.cache import Cache
from model.errors import BundleInvalid, EngineFailed, ImageUnreadable, ModelError
from model.image import decode
from model.manifest import Golden, Member

# How far from 1 probabilities may sum up, in the reduced precision of some engines.
_ROUNDING = 0.01


@dataclass(frozen=True)
class Reading:
    """What the first ``members`` of an ensemble read in one image.

    ``settled``: all members would give the same answer, as far as the calibration knows.
    """

    answer: str
    probability: float
    members: int
    settled: bool


class Ensemble:
    """Loaded members and the rules by which they answer together."""

    def __init__(self, bundle: Bundle, networks: Sequence[Network]) -> None:
        self.bundle = bundle
        self._networks = tuple(networks)
        # In memory: the next release may take the folder's place while this one still works.
        self._images = {
            golden.image: bundle.path(golden.image).read_bytes()
            for golden in bundle.manifest.golden
        }

    @classmethod
    def load(
        cls, folder: Path, engine_name: str, threads: int, cache: Cache | None = None
    ) -> Ensemble:
        """Verify a bundle, load every member and check the golden answers.

        The golden images also warm the engine: the first caller pays nothing.

        Raises:
            BundleInvalid: the folder is not what its manifest says, or answers differently.
            EngineUnavailable: the engine is not installed.
        """
        bundle = Bundle.open(folder)
        runtime = engine(engine_name)
        members = bundle.manifest.members
        ensemble = cls(
            bundle, [_network(bundle, member, runtime, threads, cache) for member in members]
        )
        for golden in bundle.manifest.golden:
            ensemble.check(golden)
        return ensemble

    @property
    def size(self) -> int:
        """How many members a full answer has."""
        return len(self._networks)

    def check(self, golden: Golden) -> None:
        """Read one of the bundle's golden images.

        Raises:
            BundleInvalid: it reads differently from what the manifest says.
        """
        try:
            answer = self.read(self._images[golden.image]).answer
        except (EngineFailed, ImageUnreadable) as error:
            raise BundleInvalid(f"{self.bundle.id}: {golden.image.path}: {error}") from error
        if answer != golden.answer:
            raise BundleInvalid(
                f"{self.bundle.id}: {golden.image.path} reads {answer!r}, "
                f"the manifest says {golden.answer!r}"
            )

    def read(self, image: bytes) -> Reading:
        """Read one image file with all members; raises what ``readings`` does."""
        *_, last = self.readings(image)
        return last

    def readings(self, image: bytes) -> Iterator[Reading]:
        """Decode one image file, then ask member after member.

        After each of them comes what it and those before it read. Whoever has seen enough just
        stops asking.

        Raises:
            ImageUnreadable: see ``model.image.decode``.
            EngineFailed: no probabilities came out; raised while asking.
        """
        size = self.bundle.manifest.input
        return self._ask(decode(image, size.height, size.width).astype(np.float32))

    def _ask(self, pixels: Pixels) -> Iterator[Reading]:
        total: Probabilities = np.zeros(len(self.bundle.manifest.labels), np.float32)
        for members, network in enumerate(self._networks, 1):
            total = total + network(pixels)
            mean = total / np.float32(members)
            if not _are_probabilities(mean):
                raise EngineFailed("the members' mean is no distribution of probabilities")
            yield self._answer(mean, members)

    def _answer(self, probabilities: Probabilities, members: int) -> Reading:
        """The likeliest class, or `isnull` where the bundle's rule says so."""
        manifest = self.bundle.manifest
        # Scaled to the best first, or small temperatures would underflow to 0 / 0.
        tempered = (probabilities / probabilities.max()) ** (1 / manifest.calibration.temperature)
        tempered /= tempered.sum()
        best = int(tempered.argmax())
        settled = self._settled(float(probabilities.max()), members)
        if rule := manifest.isnull:
            null = manifest.labels.index(rule.label)
            others = probabilities.copy()
            others[null] = -1
            best = int(others.argmax())
            if probabilities[null] >= rule.threshold or others[best] < rule.least:
                best = null
        return Reading(manifest.labels[best], float(tempered[best]), members, settled)

    def _settled(self, probability: float, members: int) -> bool:
        if members == self.size:
            return True
        exits = self.bundle.manifest.calibration.exits
        least = exits[members - 1] if exits else None
        return least is not None and probability >= least


def _network(
    bundle: Bundle, member: Member, runtime: Engine, threads: int, cache: Cache | None
) -> Network:
    """One member, tried on a blank sheet."""
    manifest, path = bundle.manifest, member.graph.path
    blank = np.full((manifest.input.height, manifest.input.width, 3), 255, np.float32)
    try:
        network = runtime.load(bundle.path(member.graph), threads, cache)
        probabilities = network(blank)
    except ModelError:
        raise
    except Exception as error:  # every engine has its own
        raise BundleInvalid(
            f"{bundle.id}: {path} does not run on images of "
            f"{manifest.input.height} x {manifest.input.width} pixels: {error}"
        ) from error
    if probabilities.shape != (len(manifest.labels),):
        raise BundleInvalid(
            f"{bundle.id}: {path} gives the shape {probabilities.shape} "
            f"for {len(manifest.labels)} labels"
        )
    if not _are_probabilities(probabilities):
        raise BundleInvalid(f"{bundle.id}: {path} gives something else than probabilities")
    return network


def _are_probabilities(values: Probabilities) -> bool:
    """False for NaN too, which compares as nothing."""
    return bool((values >= 0).all() and abs(values.sum() - 1) < _ROUNDING)
