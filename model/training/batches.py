"""Batches of images and of what to answer to them, each a pure function of its number."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from model.training.dataset import Dataset
from model.training.errors import DataError
from model.training.negatives import join, negative
from model.training.teacher import Opinions

# How much a teacher's opinion counts beside the label.
TRUST = 0.7


@dataclass(frozen=True)
class Mix:
    """What share of a batch is made rather than taken from the data.

    `isnull`: made of images of characters; `joined`: true characters joined of two images;
    `synthetic`: drawn, characters and `isnull` alike, where there are such.
    """

    isnull: float = 0.05
    joined: float = 0.02
    synthetic: float = 0.25


class Batches:
    """The rows of a dataset in a new order every epoch, with `isnull` examples mixed in."""

    def __init__(
        self,
        dataset: Dataset,
        rows: npt.NDArray[np.intp],
        size: int,
        mix: Mix,
        classes: int,
        seed: int,
        synthetic: Dataset | None = None,
        taught: Opinions | None = None,
    ) -> None:
        """Batches of `size` images; the last of the classes is `isnull`.

        Of `synthetic` images the mix takes its share. `taught` is what a teacher makes of every
        image of the dataset, probabilities (n, classes).
        Raises DataError when the rows do not fill one batch.
        """
        if len(rows) < size:
            raise DataError(f"{len(rows)} images to train on do not fill a batch of {size}")
        self.per_epoch = len(rows) // size
        self._images, self._targets = dataset.images, dataset.targets
        self._rows, self._size, self._mix = rows, size, mix
        self._classes, self._seed = classes, seed
        self._synthetic, self._taught = synthetic, taught
        self._alike = {
            int(target): rows[dataset.targets[rows] == target]
            for target in np.unique(dataset.targets[rows])
        }

    def at(self, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Images uint8 (size, s, s, 3) and wanted probabilities float32 (size, classes).

        They are those of batch number `step`.
        """
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self._rows)
        rows = order[place * self._size : (place + 1) * self._size]
        images = np.stack([self._images[row] for row in rows])
        targets = self._targets[rows].copy()
        rng = np.random.default_rng((self._seed, epoch, place))
        made = iter(range(self._size))
        for index in self._share(made, self._mix.isnull):
            other = self._other(int(targets[index]), rng)
            images[index] = negative(images[index], other, rng)
            targets[index] = self._classes - 1
        for index in self._share(made, self._mix.joined):
            alike = rng.choice(self._alike[int(targets[index])])
            images[index] = join(images[index], self._images[alike], rng)
        if self._synthetic is not None:
            for index in self._share(made, self._mix.synthetic):
                row = rng.integers(len(self._synthetic))
                images[index] = self._synthetic.images[row]
                targets[index] = self._synthetic.targets[row]
        wanted = np.eye(self._classes, dtype=np.float32)[targets]
        if self._taught is not None:
            untouched = list(made)
            opinions = self._taught[rows[untouched]].astype(np.float32)
            wanted[untouched] += TRUST * (opinions - wanted[untouched])
        return images, wanted

    def _share(self, places: Iterator[int], share: float) -> Iterator[int]:
        """The next places of the batch, in number this share of it."""
        return islice(places, round(self._size * share))

    def _other(self, target: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """An image of another class than `target`; of any class when there is only one."""
        row = rng.choice(self._rows)
        while self._targets[row] == target and len(self._alike) > 1:
            row = rng.choice(self._rows)
        return np.array(self._images[row])
