"""The ensemble: several networks, one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model.bunch import Bunch
from model.bundle import Bundle
from model.engines import Engine, Network, Pixels, Probabilities, blank, engine
from model.engines.cache import Cache
from model.errors import BundleInvalid, EngineFailed, ModelError
from model.examples import Examples
from model.express import Express
from model.image import decode
from model.manifest import Golden, Member

# How far from 1 probabilities may sum up, in the reduced precision of some engines.
_ROUNDING = 0.01

# Instead of nothing, where something is divided by it.
_LEAST = np.float32(1e-30)

# So many of what else it could be are told.
_ALTERNATIVES = 5


class Alternative(NamedTuple):
    """What else it could be, and how likely that is."""

    text: str
    probability: float


@dataclass(frozen=True)
class Reading:
    """What the first ``members`` of an ensemble read in one image.

    ``settled``: all members would give the same answer, as far as the calibration knows.
    ``next_share``: what the next reading costs, of a member. ``output``: what else there is to
    tell, as JSON has it. ``finding_us``: so much of the time went into finding what to read.
    ``others`` makes the ``alternatives``, which few ask for.
    """

    answer: str
    probability: float
    members: int
    settled: bool
    next_share: float = 1.0
    output: dict[str, Any] | None = None
    finding_us: int = 0
    others: Callable[[], tuple[Alternative, ...]] = field(default=tuple, repr=False, compare=False)

    @cached_property
    def alternatives(self) -> tuple[Alternative, ...]:
        """The likeliest others, in order."""
        return self.others()


class Ensemble:
    """Loaded members and the rules by which they answer together."""

    # Who serves callers loads them: ``model.algorithm``.
    express: Express | None = None
    bunch: Bunch | None = None

    def __init__(self, bundle: Bundle, networks: Sequence[Network]) -> None:
        self.bundle = bundle
        self.networks = tuple(networks)
        self.examples = Examples(bundle, self.read)

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
        ensemble = cls.of(bundle, engine(engine_name), threads, cache)
        for golden in bundle.manifest.golden:
            ensemble.check(golden)
        return ensemble

    @classmethod
    def of(cls, bundle: Bundle, runtime: Engine, threads: int, cache: Cache | None) -> Ensemble:
        """Every member of a verified bundle; the golden answers are not checked."""
        members = bundle.manifest.members
        networks = [_network(bundle, member, runtime, threads, cache) for member in members]
        return cls(bundle, networks)

    @property
    def size(self) -> int:
        """How many members a full answer has."""
        return len(self.networks)

    def check(self, golden: Golden) -> None:
        """Read one of the bundle's golden images.

        Raises:
            BundleInvalid: it reads differently from what the manifest says.
        """
        self.examples.check(golden)

    def probe(self) -> None:
        """Ask the first member about a golden image; raises what ``readings`` does."""
        next(self.readings(self.examples.first))

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
        return self.ask(self.pixels(image))

    def pixels(self, image: bytes) -> Pixels:
        """One image file as the members see it; raises ImageUnreadable."""
        size = self.bundle.manifest.input
        return decode(image, size.height, size.width).astype(np.float32)

    def ask(self, pixels: Pixels, first: Probabilities | None = None) -> Iterator[Reading]:
        """Ask member after member. ``first``: what the first one says, where that is known."""
        total: Probabilities = np.zeros(len(self.bundle.manifest.labels), np.float32)
        for members, network in enumerate(self.networks, 1):
            total = total + (network(pixels) if first is None or members > 1 else first)
            yield self.reading(total, members)

    def said(self, images: Sequence[Pixels], member: int) -> list[Probabilities]:
        """What one member, counted from 0, says of images; the first one of several at once."""
        said: list[Probabilities] = []
        if self.bunch and member == 0:
            while len(images) - len(said) >= self.bunch.MOST:
                several = images[len(said) : len(said) + self.bunch.MOST]
                said.extend(self.bunch.network(np.stack(several)))
        return [*said, *map(self.networks[member], images[len(said) :])]

    def reading(self, total: Probabilities, members: int) -> Reading:
        """What the first members say whose probabilities add up to the ``total``.

        That is the likeliest class, or `isnull` where the bundle's rule says so. Where it does not,
        what is told is how probable each class is if it is one of the others.

        Raises:
            EngineFailed: their mean is something else than probabilities.
        """
        manifest = self.bundle.manifest
        probabilities = total / np.float32(members)
        if not _are_probabilities(probabilities):
            raise EngineFailed("the members' mean is no distribution of probabilities")
        settled = self._settled(float(probabilities.max()), members)
        told, best = probabilities, int(probabilities.argmax())
        if rule := manifest.isnull:
            null = manifest.labels.index(rule.label)
            of_null, told = float(probabilities[null]), probabilities.copy()
            told[null] = 0
            best = int(told.argmax())
            if of_null >= rule.threshold or told[best] < rule.least:
                best = null
            elif of_null > told[best]:
                # Nearly refused: the other members may well do so.
                settled = members == self.size
        tempered = self.tempered(told)
        if rule and best == null:
            tempered *= np.float32(1 - of_null)
            tempered[null] = of_null
        return Reading(
            manifest.labels[best],
            float(tempered[best]),
            members,
            settled,
            others=partial(self._alternatives, tempered, best),
        )

    def _alternatives(self, probabilities: Probabilities, best: int) -> tuple[Alternative, ...]:
        count = min(_ALTERNATIVES + 1, len(probabilities))
        # To sort all labels would cost ten times as much.
        likeliest = np.argpartition(probabilities, -count)[-count:]
        ordered = likeliest[np.argsort(-probabilities[likeliest])].tolist()
        labels = self.bundle.manifest.labels
        others = [Alternative(labels[at], float(probabilities[at])) for at in ordered if at != best]
        return tuple(others[:_ALTERNATIVES])

    def tempered(self, probabilities: Probabilities) -> Probabilities:
        """How probable each class is, as far as the calibration knows."""
        # Scaled to the best first, or small temperatures would underflow to 0 / 0.
        power = 1 / self.bundle.manifest.calibration.temperature
        scaled = (probabilities / max(probabilities.max(), _LEAST)) ** power
        tempered: Probabilities = scaled / max(scaled.sum(), _LEAST)
        return tempered

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
    try:
        network = runtime.load(bundle.path(member.graph), threads, cache)
        probabilities = network(blank(manifest.input.height, manifest.input.width))
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
