"""What is on an image: a character of the list, or one of the many things that are none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.training.synthesis.chance import happens
from model.training.synthesis.drawing import Floats, Kept, Part
from model.training.synthesis.shapes import Shapes, Source

# Kinds of `isnull` examples and the share of each.
KINDS = {
    "foreign": 0.52,
    "mixed": 0.14,
    "partial": 0.1,
    "pair": 0.08,
    "neighbours": 0.06,
    "cut": 0.04,
    "blank": 0.06,
}
TRIES = 8
# Share of the characters written in a simplified or Japanese form, where there is one.
OTHER_FORM = 0.08


@dataclass(frozen=True)
class Glyph:
    """One thing that is written: parts in one em, moved and scaled against a whole character's."""

    parts: tuple[Part, ...]
    across: float = 0.0
    down: float = 0.0
    wide: float = 1.0
    high: float = 1.0


@dataclass(frozen=True)
class Subject:
    """What the image shows, by what source it is drawn, and whether neighbours must be there."""

    kind: str
    source: Source
    glyphs: tuple[Glyph, ...] = ()
    crowded: bool = False


class Subjects:
    """Chooses subjects."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def listed(self, target: int, sources: list[Source], rng: np.random.Generator) -> Subject:
        """The label of that class index, by one of the sources, or by any if none has it."""
        label = self._shapes.labels[target]
        having = self._shapes.drawing(label, sources) or self._shapes.drawing(
            label, self._shapes.sources
        )
        source = having[rng.integers(len(having))]
        written = self._shapes.form(label, source) if happens(OTHER_FORM, rng) else label
        return Subject("listed", source, (Glyph((Part(written),)),))

    def isnull(self, sources: list[Source], rng: np.random.Generator) -> Subject:
        """Something that is no character of the list."""
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        able = [source for source in sources if self._shapes.foreign[source.name]]
        source = (able or self._shapes.able)[rng.integers(len(able or self._shapes.able))]
        makers: dict[str, Callable[[], tuple[Glyph, ...]]] = {
            "foreign": lambda: (self._foreign(source, rng),),
            "mixed": lambda: (self._mixed(source, rng),),
            "partial": lambda: (self._partial(source, rng),),
            "pair": lambda: self._pair(source, rng),
            "cut": lambda: (self._cut(source, rng),),
        }
        glyphs = makers[kind]() if kind in makers else ()
        return Subject(kind, source, glyphs, crowded=kind == "neighbours")

    def any(self, source: Source, rng: np.random.Generator) -> str:
        """A character of the source, of the list or not."""
        choice = self._shapes.every[source.name]
        return choice[rng.integers(len(choice))]

    def _foreign(self, source: Source, rng: np.random.Generator) -> Glyph:
        choice = self._shapes.foreign[source.name]
        return Glyph((Part(choice[rng.integers(len(choice))]),))

    def _cut(self, source: Source, rng: np.random.Generator) -> Glyph:
        """A character of which the picture's edge leaves less than half."""
        away = float(rng.choice([-1, 1]) * rng.uniform(0.62, 0.8))
        return Glyph((Part(self.any(source, rng)),), across=away)

    def _mixed(self, source: Source, rng: np.random.Generator) -> Glyph:
        """The left or upper part of one character with the rest of another."""
        for _ in range(TRIES):
            axis = int(happens(0.35, rng))
            cut = float(rng.uniform(0.4, 0.6))
            first, second = self.any(source, rng), self.any(source, rng)
            parts = (Part(first, _beyond(axis, cut, -1)), Part(second, _beyond(axis, cut, 1)))
            if self._shapes.unlike(parts):
                return Glyph(parts)
        return self._foreign(source, rng)

    def _partial(self, source: Source, rng: np.random.Generator) -> Glyph:
        """A character without what is in two or three discs."""
        for _ in range(TRIES):
            holes = rng.uniform(0.2, 0.8, (int(rng.integers(2, 4)), 2)).astype(np.float32)
            reach = float(rng.uniform(0.2, 0.32))
            keeps = _outside(holes, reach)
            parts = (Part(self.any(source, rng), keeps),)
            if self._shapes.unlike(parts):
                return Glyph(parts)
        return self._foreign(source, rng)

    def _pair(self, source: Source, rng: np.random.Generator) -> tuple[Glyph, ...]:
        """Two whole characters side by side, or one above the other."""
        parts = [(Part(self.any(source, rng)),) for _ in range(2)]
        if happens(0.7, rng):
            size = float(rng.uniform(0.5, 0.9))
            return tuple(
                Glyph(part, across=side * size, wide=size)
                for part, side in zip(parts, (-0.5, 0.5), strict=True)
            )
        return tuple(
            Glyph(part, down=side * 0.6, wide=0.7, high=0.6)
            for part, side in zip(parts, (-0.5, 0.5), strict=True)
        )


def _outside(holes: Floats, reach: float) -> Callable[[Floats], Kept]:
    """Which points are outside every disc of that reach about the middles `holes` (n, 2)."""

    def keeps(points: Floats) -> Kept:
        far = np.linalg.norm(points[:, None] - holes, axis=-1).min(axis=1)
        return np.asarray(far > reach)

    return keeps


def _beyond(axis: int, cut: float, side: int) -> Callable[[Floats], Kept]:
    """Which points are left of or above (`side` -1), or beyond (1), a cut through the em."""

    def keeps(points: Floats) -> Kept:
        return np.asarray((points[:, axis] - cut) * side > 0)

    return keeps
