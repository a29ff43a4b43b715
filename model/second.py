"""The second reader: knows characters that are none of the labels, such as those of amounts.

It is shown what the members refuse. So what they answer stays as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from model.bundle import Bundle
from model.engines import Engine, Network, Pixels, blank
from model.engines.cache import Cache
from model.errors import BundleInvalid, ModelError
from model.manifest import Second


class Known(NamedTuple):
    """A character that the members do not know, and its probability."""

    text: str
    probability: float


class SecondReader:
    """A loaded one."""

    def __init__(self, network: Network, rules: Second) -> None:
        self._network, self._rules = network, rules

    @classmethod
    def load(
        cls, bundle: Bundle, rules: Second, runtime: Engine, threads: int, cache: Cache | None
    ) -> SecondReader:
        """That of a bundle for sheets.

        Raises:
            BundleInvalid: it does not run on the bundle's images, or tells of other characters.
        """
        size = bundle.manifest.input
        try:
            network = runtime.load(bundle.path(rules.graph), threads, cache)
            shape = network(blank(size.height, size.width)).shape
        except ModelError:
            raise
        except Exception as error:  # every engine has its own
            raise BundleInvalid(f"{bundle.id}: {rules.graph.path} does not run: {error}") from error
        if shape != (len(rules.labels) + 1,):
            raise BundleInvalid(
                f"{bundle.id}: {rules.graph.path} gives the shape {shape} "
                f"for {len(rules.labels)} labels and none of them"
            )
        return cls(network, rules)

    def read(self, pixels: Pixels) -> Known | None:
        """Which of its characters that is (height, width, 3), RGB 0-255; None for none of them."""
        probabilities = self._network(pixels)[: len(self._rules.labels)]
        best = int(probabilities.argmax())
        if probabilities[best] < self._rules.least:
            return None
        return Known(self._rules.labels[best], float(probabilities[best]))
