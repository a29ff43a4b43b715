"""Everything that a folder of shapes draws: font faces, and strokes."""

from pathlib import Path
from string import ascii_letters, digits

import numpy as np
import numpy.typing as npt

from model.training.errors import DataError
from model.training.synthesis.characters import common_characters, traditional_characters
from model.training.synthesis.drawing import Lines, Part
from model.training.synthesis.fonts import SUFFIXES, Face
from model.training.synthesis.strokes import Strokes
from model.training.synthesis.variants import variants

GRID = 16
# Two characters that differ in a part are alike by 0.87 in the mean, the same by 1.
TOO_LIKE = 0.92
Source = Face | Strokes
Floats = npt.NDArray[np.float32]


def repertoire(labels: tuple[str, ...]) -> set[str]:
    """The labels, the common characters of both standards, Latin letters and digits."""
    return {*labels[:-1], *common_characters(), *ascii_letters, *digits}


class Shapes:
    """The sources of a folder and what each draws, of a label list and beyond it."""

    def __init__(self, folder: Path, labels: tuple[str, ...]) -> None:
        """Every font and every stroke file (.json) of the folder; `isnull` ends `labels`.

        Raises DataError when one cannot be read, when there is none, and when none of them draws
        one of the labels or anything else.
        """
        self.labels = labels
        self._characters = labels[:-1]
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.strokes = [Strokes(path) for path in files if path.suffix.lower() == ".json"]
        self.faces = [Face(path) for path in files if path.suffix.lower() in SUFFIXES]
        self.sources: list[Source] = [*self.strokes, *self.faces]
        if not self.sources:
            raise DataError(f"{folder}: no fonts ({', '.join(SUFFIXES)}) and no strokes (.json)")
        self._drawn = {
            source.name: frozenset(label for label in self._characters if source.draws(label))
            for source in self.sources
        }
        missing = set(self._characters).difference(*self._drawn.values())
        if missing:
            some = " ".join(sorted(missing)[:20])
            raise DataError(
                f"{folder}: nothing there draws {len(missing)} of the labels: {some}"
                f"{' ...' if len(missing) > 20 else ''}."  # noqa: PLR2004 - as many as are shown
                " Put a font that does into that folder, or leave them out"
            )
        forms = variants(self._characters)
        common = repertoire(labels) - {*labels, *forms}
        self.foreign = {
            source.name: tuple(sorted(common & source.characters)) for source in self.sources
        }
        if not any(self.foreign.values()):
            raise DataError(f"{folder}: nothing there draws a common character outside the labels")
        # A form that is a character of its own, too, is drawn as neither: 制 for 製.
        own = traditional_characters()
        self._forms = {
            parent: form
            for form, parents in sorted(forms.items())
            if len(parents) == 1 and form not in own
            for parent in parents
        }
        self.able = [source for source in self.sources if self.foreign[source.name]]
        self.every = {
            source.name: (*sorted(self._drawn[source.name]), *self.foreign[source.name])
            for source in self.sources
        }
        # Lines of one source are compared: fonts differ more from each other than characters do.
        self._reference = self.sources[0]
        self._sketches = np.stack(
            [
                _sketch(self._reference.lines(label))
                for label in sorted(self._drawn[self._reference.name])
            ]
        )

    def drawing(self, label: str, sources: list[Source]) -> list[Source]:
        """Those of the sources that draw the label."""
        return [source for source in sources if label in self._drawn[source.name]]

    def form(self, label: str, source: Source) -> str:
        """Another form of the label that the source draws; the label itself where it has none."""
        form = self._forms.get(label, label)
        return form if source.draws(form) else label

    def unlike(self, parts: tuple[Part, ...]) -> bool:
        """Whether the parts together are no label, as far as one source of lines can tell."""
        if any(part.character not in self._reference.characters for part in parts):
            return False
        kept = [part.of(self._reference.lines(part.character)) for part in parts]
        points = np.concatenate([lines.points for lines in kept])
        weights = np.concatenate([lines.weights for lines in kept])
        return float((self._sketches @ _sketch(Lines(points, weights))).max()) < TOO_LIKE


def _sketch(lines: Lines) -> Floats:
    """Where on a coarse grid the lines run: a vector of length 1, or of 0 for no lines."""
    cells = np.clip(lines.points * GRID, 0, GRID - 1).astype(np.intp)
    grid = np.bincount(cells[:, 1] * GRID + cells[:, 0], lines.weights, minlength=GRID * GRID)
    near = np.pad(grid.reshape(GRID, GRID), 1)
    near = near[:-2] + 2 * near[1:-1] + near[2:]
    near = near[:, :-2] + 2 * near[:, 1:-1] + near[:, 2:]
    centred = near.ravel() - near.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-9), np.float32)
