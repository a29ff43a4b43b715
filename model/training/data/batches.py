"""Batches of images and of what to answer to them, each a pure function of its number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.training.data.dataset import Dataset
from model.training.data.foreign import foreign_of
from model.training.data.negatives import join, negative
from model.training.errors import DataError

Made = tuple[npt.NDArray[np.uint8], int]


@dataclass(frozen=True)
class Mix:
    """What share of a batch is made rather than taken from the data.

    `isnull`: made of images of characters; `joined`: true characters joined of two images;
    `synthetic`: drawn, characters and `isnull` alike, where there are such.
    """

    isnull: float = 0.03
    joined: float = 0.01
    synthetic: float = 0.1


@dataclass(frozen=True)
class Batch:
    """Images uint8 (n, s, s, 3) and the probabilities float32 (n, classes) to answer with.

    `taken` (n,) tells which were taken from the data as they are; the others are made. `foreign`
    int32 (n,) is the place among the batches' foreign characters of the one shown, or -1.
    """

    images: npt.NDArray[np.uint8]
    wanted: npt.NDArray[np.float32]
    taken: npt.NDArray[np.bool_]
    foreign: npt.NDArray[np.int32]


class Batches:
    """The rows of a dataset in a new order every epoch, with made examples beside them.

    ``foreign``: the characters outside the labels that synthetic images are known to show.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: npt.NDArray[np.intp],
        size: int,
        mix: Mix,
        classes: int,
        seed: int,
        synthetic: Dataset | None = None,
        softened: Mapping[int, int] | None = None,
    ) -> None:
        """Batches of `size` images; the last of the classes is `isnull`.

        Of `synthetic` images the mix takes its share. `softened` names, for rows whose label is
        doubtful, the class that is to be as likely as the label.
        Raises DataError when the rows do not fill one batch.
        """
        share = {"isnull": mix.isnull, "joined": mix.joined}
        share["synthetic"] = mix.synthetic if synthetic is not None else 0.0
        self._made = {kind: round(size * part) for kind, part in share.items()}
        self._real = size - sum(self._made.values())
        if len(rows) < self._real:
            raise DataError(f"{len(rows)} images to train on do not fill a batch of {size}")
        self.per_epoch = len(rows) // self._real
        self._images, self._targets = dataset.images, dataset.targets
        self._rows, self._classes, self._seed = rows, classes, seed
        self._synthetic, self._softened = synthetic, softened or {}
        self.foreign, self._shown = foreign_of(synthetic.names if synthetic else ())
        self._alike = {
            int(target): rows[dataset.targets[rows] == target]
            for target in np.unique(dataset.targets[rows])
        }

    def at(self, step: int) -> Batch:
        """Batch number `step`; what is made of images of the data stands beside them."""
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self._rows)
        rows = order[place * self._real : (place + 1) * self._real]
        rng = np.random.default_rng((self._seed, epoch, place))
        made = [
            *(self._negative(rng) for _ in range(self._made["isnull"])),
            *(self._joined(rng) for _ in range(self._made["joined"])),
        ]
        foreign = np.full(self._real + sum(self._made.values()), -1, np.int32)
        if self._synthetic is not None:
            drawn = rng.integers(len(self._synthetic), size=self._made["synthetic"])
            foreign[len(made) : len(made) + len(drawn)] = self._shown[drawn]
            made += [
                (self._synthetic.images[each], int(self._synthetic.targets[each])) for each in drawn
            ]
        images = np.stack([image for image, _ in made] + [self._images[row] for row in rows])
        targets = [target for _, target in made] + self._targets[rows].tolist()
        wanted = np.eye(self._classes, dtype=np.float32)[targets]
        for index, row in enumerate(rows.tolist(), start=len(made)):
            if row in self._softened:
                wanted[index] /= 2
                wanted[index, self._softened[row]] += 0.5
        return Batch(images, wanted, np.arange(len(images)) >= len(made), foreign)

    def _negative(self, rng: np.random.Generator) -> Made:
        """No character, out of two images of different classes where there are such."""
        row = rng.choice(self._rows)
        other = rng.choice(self._rows)
        while self._targets[other] == self._targets[row] and len(self._alike) > 1:
            other = rng.choice(self._rows)
        first, second = np.array(self._images[row]), np.array(self._images[other])
        return negative(first, second, rng), self._classes - 1

    def _joined(self, rng: np.random.Generator) -> Made:
        """A true character, joined of two images of it."""
        row = rng.choice(self._rows)
        target = int(self._targets[row])
        alike = rng.choice(self._alike[target])
        return join(self._images[row], self._images[alike], rng), target
