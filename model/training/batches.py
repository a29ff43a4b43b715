"""Batches of images and class indexes, each a pure function of its number."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from model.training.dataset import Dataset
from model.training.errors import DataError
from model.training.glyphs import Glyphs
from model.training.negatives import join, negative

NO_FOLD = -1


@dataclass(frozen=True)
class Mix:
    """What share of a batch is made rather than taken from the data.

    `isnull`: made of images of characters; `joined`: true characters joined of two images;
    `foreign` and `listed`: drawn with fonts, outside the label list and of it.
    """

    isnull: float = 0.07
    joined: float = 0.03
    foreign: float = 0.07
    listed: float = 0.04


class Batches:
    """The rows of a dataset in a new order every epoch, with `isnull` examples mixed in."""

    def __init__(
        self,
        dataset: Dataset,
        rows: npt.NDArray[np.intp],
        size: int,
        mix: Mix,
        isnull: int,
        seed: int,
        glyphs: Glyphs | None = None,
        folds: int = 1,
    ) -> None:
        """Batches of `size` images; `isnull` is the class index of what is no character.

        Without `glyphs` nothing is drawn with fonts. Every image belongs to one of `folds`.
        Raises DataError when the rows do not fill one batch.
        """
        if len(rows) < size:
            raise DataError(f"{len(rows)} images to train on do not fill a batch of {size}")
        self.per_epoch = len(rows) // size
        self._images, self._targets = dataset.images, dataset.targets
        self._rows, self._size, self._mix = rows, size, mix
        self._isnull, self._seed, self._glyphs, self._folds = isnull, seed, glyphs, folds
        self._alike = {
            int(target): rows[dataset.targets[rows] == target]
            for target in np.unique(dataset.targets[rows])
        }

    def at(
        self, step: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Batch number `step`: images uint8 (size, s, s, 3), class indexes and folds int32 (size,).

        What is made rather than taken is of no fold, -1; so is everything when there is only one.
        """
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self._rows)
        rows = order[place * self._size : (place + 1) * self._size]
        images = np.stack([self._images[row] for row in rows])
        targets = self._targets[rows].copy()
        folds = fold_of(rows, self._folds)
        rng = np.random.default_rng((self._seed, epoch, place))
        made = iter(range(self._size))
        for index in self._share(made, self._mix.isnull):
            other = self._other(int(targets[index]), rng)
            images[index] = negative(images[index], other, rng)
            targets[index], folds[index] = self._isnull, NO_FOLD
        for index in self._share(made, self._mix.joined):
            alike = rng.choice(self._alike[int(targets[index])])
            images[index] = join(images[index], self._images[alike], rng)
        if self._glyphs is not None:
            for index in self._share(made, self._mix.foreign):
                images[index] = self._glyphs.foreign(images[index], rng)
                targets[index], folds[index] = self._isnull, NO_FOLD
            for index in self._share(made, self._mix.listed):
                images[index], targets[index] = self._glyphs.listed(images[index], rng)
                folds[index] = NO_FOLD
        return images, targets, folds

    def _share(self, places: Iterator[int], share: float) -> Iterator[int]:
        """The next places of the batch, in number this share of it."""
        return islice(places, round(self._size * share))

    def _other(self, target: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """An image of another class than `target`; of any class when there is only one."""
        row = rng.choice(self._rows)
        while self._targets[row] == target and len(self._alike) > 1:
            row = rng.choice(self._rows)
        return np.array(self._images[row])


def fold_of(rows: npt.NDArray[np.intp], folds: int) -> npt.NDArray[np.int32]:
    """The fold int32 (n,) of each row of a dataset; none when there is only one."""
    return (rows % folds if folds > 1 else np.full(len(rows), NO_FOLD)).astype(np.int32)
