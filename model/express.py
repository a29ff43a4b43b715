"""The express member: the first member in a cheaper form, for when the line is too long for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from model.engines import Pixels, blank
from model.engines.cache import Cache
from model.engines.speed import WORTH, loaded, took_us

if TYPE_CHECKING:
    from model.ensemble import Ensemble, Reading

_ROUNDS = 15


@dataclass(frozen=True)
class Express:
    """``readings`` is that of an ensemble of this member alone; one took ``took_us`` here.

    Nothing is settled by what it reads: the members may answer otherwise.
    """

    readings: Callable[[bytes], Iterator[Reading]]
    took_us: int

    @classmethod
    def load(
        cls, ensemble: Ensemble, engine_name: str, threads: int, cache: Cache | None
    ) -> Self | None:
        """The fastest on this machine of the forms that the bundle allows.

        None where there is none, or none that takes less than the first member itself does on the
        engine of the ensemble.
        """
        manifest, member = ensemble.bundle.manifest, ensemble.networks[0]
        forms = [form.engine for form in manifest.express if form.engine != engine_name]
        graph = ensemble.bundle.path(manifest.members[0].graph)
        networks = loaded(forms, graph, threads, cache)
        if not networks:
            return None
        sheet = blank(manifest.input.height, manifest.input.width)
        took = took_us({**networks, "itself": member}, sheet, _ROUNDS)
        fastest = min(networks, key=lambda name: took[name])
        if took[fastest] > WORTH * took["itself"]:
            return None

        # The others may go.
        network = networks[fastest]

        def read(pixels: Pixels) -> Iterator[Reading]:
            yield replace(ensemble.reading(network(pixels), members=1), settled=False)

        return cls(lambda image: read(ensemble.pixels(image)), took[fastest])
