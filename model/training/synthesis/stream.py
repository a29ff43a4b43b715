"""The stream: image number i, a pure function of the seed and i."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.image import decode
from model.training.synthesis import paper
from model.training.synthesis.chance import happens
from model.training.synthesis.drawing import Floats, Lines, Part
from model.training.synthesis.fonts import EM, SIDE, Face
from model.training.synthesis.pen import SCALE, Hand, Place, draw
from model.training.synthesis.shapes import Shapes, Source
from model.training.synthesis.strokes import Strokes
from model.training.synthesis.subjects import Glyph, Subject, Subjects

HEIGHT = 67
WIDTHS = (22, 190)
ISNULL_SHARE = 0.15
FULLEST = 0.3  # of a character's em that its strokes cover


@dataclass(frozen=True)
class Made:
    """One image: a JPEG file, its class index, what it shows and which source drew it how.

    ``foreign``: the character that it shows where that is none of the list, else empty.
    """

    jpeg: bytes
    target: int
    kind: str
    source: str
    foreign: str


@dataclass(frozen=True)
class _Look:
    """What all characters on one image have in common."""

    printed: bool
    filled: bool
    hand: Hand
    haste: float
    size: float
    narrow: float
    width: float
    bolder: float


class Stream:
    """Labelled images without end, drawn with the shapes of a folder."""

    def __init__(
        self, folder: Path, labels: tuple[str, ...], seed: int, isnull_share: float = ISNULL_SHARE
    ) -> None:
        """`labels` ends in `isnull`, of which there is the given share.

        Raises DataError when the folder's shapes cannot be read or do not draw every label.
        """
        self._shapes = Shapes(folder, labels)
        self._subjects = Subjects(self._shapes)
        self.labels, self._seed, self._share = labels, seed, isnull_share

    def image(self, number: int, size: int) -> tuple[npt.NDArray[np.uint8], int]:
        """Image `number` as serving decodes it: uint8 (size, size, 3), RGB; its class index."""
        made = self.made(number)
        return decode(made.jpeg, size, size), made.target

    def made(self, number: int) -> Made:
        """Image `number`, a JPEG file of 67 rows."""
        rng = np.random.default_rng((self._seed, number))
        printed = bool(self._shapes.faces) and happens(0.22, rng)
        sources = self._sources(printed, rng)
        if happens(self._share, rng):
            target = len(self.labels) - 1
            subject = self._subjects.isnull(sources, rng)
        else:
            target = int(rng.integers(len(self.labels) - 1))
            subject = self._subjects.listed(target, sources, rng)
        look = _look(printed, subject.source, rng)
        picture = paper.scan(self._compose(subject, look, rng), rng)
        foreign = subject.glyphs[0].parts[0].character if subject.kind == "foreign" else ""
        how = "printed" if printed else "filled" if look.filled else "lines"
        source = f"{subject.source.name} {how}"
        return Made(paper.jpeg(picture, rng), target, subject.kind, source, foreign)

    def _sources(self, printed: bool, rng: np.random.Generator) -> list[Source]:
        """Print comes from fonts; pens half of the time from strokes."""
        strokes, faces = self._shapes.strokes, self._shapes.faces
        if faces and (printed or not strokes or happens(0.5, rng)):
            return list(faces)
        return list(strokes)

    def _compose(self, subject: Subject, look: _Look, rng: np.random.Generator) -> Floats:
        """The scene without the scanner: float32 (67, w, 3)."""
        width = _width(subject, look, rng)
        sheet = paper.sheet(HEIGHT, width, rng)
        paper.rule(sheet, rng)
        places = list(self._placed(subject, look, width, rng))
        ink = paper.colour(paper.STAMPS if look.printed else paper.INKS, rng)
        if happens(0.025, rng):
            self._seal(sheet, subject.source, rng)
        cover = self._cover(subject.source, places, look, width, rng)
        strength = rng.uniform(0.45, 0.8) if happens(0.06, rng) else rng.uniform(0.85, 1.0)
        return paper.inked(sheet, cover * np.float32(strength), ink, look.printed, rng)

    def _placed(
        self, subject: Subject, look: _Look, width: int, rng: np.random.Generator
    ) -> list[tuple[Glyph, Place]]:
        """The subject's glyphs and those neighbours that reach into the picture, in place."""
        x = width / 2 + rng.normal(0, 0.06 * width)
        y = rng.normal(36, 4.5)
        placed = []
        for glyph in subject.glyphs:
            across = x + glyph.across * look.size * look.narrow
            if subject.kind == "cut":
                across = width / 2 + glyph.across * width
            size = look.size * glyph.high
            narrow = look.narrow * glyph.wide / glyph.high
            placed.append((glyph, Place(across, y + glyph.down * look.size, size, narrow)))
        for side, chance in ((-1, 0.7), (1, 0.7)):
            if happens(chance, rng) or subject.crowded:
                pitch = look.size * look.narrow * rng.uniform(0.98, 1.2 if look.printed else 1.5)
                placed.append(self._neighbour(subject, look, x + side * pitch, y, rng))
        for side, chance in ((-1, 0.3), (1, 0.2)):
            if happens(chance, rng) or (subject.crowded and happens(0.5, rng)):
                pitch = max(rng.normal(58, 5), 0.95 * look.size)
                away = x + rng.normal(0, 0.3) * look.size
                placed.append(self._neighbour(subject, look, away, y + side * pitch, rng))
        return [(glyph, place) for glyph, place in placed if place.reaches(HEIGHT, width)]

    def _neighbour(
        self, subject: Subject, look: _Look, x: float, y: float, rng: np.random.Generator
    ) -> tuple[Glyph, Place]:
        glyph = Glyph((Part(self._subjects.any(subject.source, rng)),))
        place = Place(x, y + rng.normal(0, 2), look.size * rng.normal(1, 0.06), look.narrow)
        return glyph, place

    def _cover(
        self,
        source: Source,
        placed: list[tuple[Glyph, Place]],
        look: _Look,
        width: int,
        rng: np.random.Generator,
    ) -> Floats:
        """How far ink covers each pixel: float32 (67, width), 0-1."""
        if look.filled and isinstance(source, Face):
            canvas = Image.new("L", (SCALE * width, SCALE * HEIGHT))
            for glyph, place in placed:
                look.hand.press(_picture(source, glyph, look), place, canvas)
            fine = np.asarray(canvas, np.float32) / np.float32(255)
        else:
            lines = [
                look.hand.lay(part.of(_lines(source, part.character, look, rng)), place)
                for glyph, place in placed
                for part in glyph.parts
            ]
            fine = draw(lines, _fitting(look, lines), HEIGHT, width)
        return np.asarray(fine.reshape(HEIGHT, SCALE, width, SCALE).mean(axis=(1, 3)), np.float32)

    def _seal(self, sheet: Floats, source: Source, rng: np.random.Generator) -> None:
        """Press a red seal onto the paper, somewhere, as it lies under signatures."""
        width = sheet.shape[1]
        place = Place(rng.uniform(0, width), rng.uniform(0, HEIGHT), rng.uniform(40, 80))
        look = _look(True, source, rng)
        glyph = Glyph((Part(self._subjects.any(source, rng)),))
        cover = self._cover(source, [(glyph, place)], look, width, rng)
        red = np.array([205, 50, 55], np.float32)
        sheet += cover[..., None] * np.float32(rng.uniform(0.3, 0.8)) * (red - sheet)


def _look(printed: bool, source: Source, rng: np.random.Generator) -> _Look:
    """A hand with its pen, or a stamp."""
    if printed:
        return _Look(
            printed=True,
            filled=True,
            hand=Hand(0.12, rng),
            haste=0.0,
            size=float(rng.uniform(28, 46)),
            narrow=float(rng.uniform(0.8, 1.02)),
            width=float(rng.uniform(2.2, 3.6)),
            bolder=float(rng.uniform(0, 2.0)),
        )
    wild = float(rng.uniform(0.15, 0.9))
    return _Look(
        printed=False,
        filled=isinstance(source, Face) and happens(0.25, rng),
        hand=Hand(wild, rng),
        haste=float(rng.beta(1.1, 2.5)),
        size=float(rng.uniform(34, 62)),
        narrow=float(rng.uniform(0.68, 1.05)),
        width=float(rng.lognormal(0.82, 0.24)) if happens(0.94, rng) else rng.uniform(3, 5),
        bolder=float(rng.uniform(0, 1.0)),
    )


def _width(subject: Subject, look: _Look, rng: np.random.Generator) -> int:
    """Columns of the image: crops are tight round print, looser round a hand's characters."""
    tight = look.size * look.narrow
    wide = tight * (rng.uniform(0.85, 1.15) if look.printed else rng.uniform(0.85, 1.4))
    if subject.kind == "pair":
        wide *= sum(glyph.wide for glyph in subject.glyphs) / 1.5
    if happens(0.15, rng):
        wide += rng.exponential(22)
    return int(np.clip(wide, *WIDTHS))


def _fitting(look: _Look, lines: list[Lines]) -> float:
    """The width of the pen's line in pixels, less where many strokes would run into one."""
    longest = max((float(part.weights.sum()) for part in lines), default=1.0) / SCALE
    return float(min(look.width, max(1.0, FULLEST * look.size * look.size * look.narrow / longest)))


def _lines(source: Source, character: str, look: _Look, rng: np.random.Generator) -> Lines:
    if isinstance(source, Strokes):
        return source.written(character, look.haste, rng)
    return source.lines(character)


def _picture(face: Face, glyph: Glyph, look: _Look) -> Image.Image:
    """A glyph filled, SIDE x SIDE, of its parts."""
    total = Image.new("L", (SIDE, SIDE))
    for part in glyph.parts:
        filled = face.filled(part.character, look.bolder if face.light else 0)
        if part.keeps is None:
            total.paste(255, (0, 0), filled)
        else:
            total.paste(
                255,
                (0, 0),
                Image.fromarray(np.asarray(filled) * part.keeps(_GRID).reshape(SIDE, SIDE)),
            )
    return total


_STEPS = (np.arange(SIDE) + 0.5 - SIDE / 2) / EM + 0.5
_GRID = np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2).astype(np.float32)
