"""Batches of images and class indexes, each a pure function of its number."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from model.training.dataset import Dataset
from model.training.errors import DataError
from model.training.negatives import join, negative


@dataclass(frozen=True)
class Mix:
    """What share of a batch is made rather than taken from the data.

    `isnull`: made of images of characters; `joined`: true characters joined of two images;
    `synthetic`: drawn, characters and `isnull` alike, where there are such.
    """

    isnull: float = 0.04
    joined: float = 0.02
    synthetic: float = 0.35


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
        synthetic: Dataset | None = None,
    ) -> None:
        """Batches of `size` images; `isnull` is the class index of what is no character.

        Of `synthetic` images the mix takes its share.
        Raises DataError when the rows do not fill one batch.
        """
        if len(rows) < size:
            raise DataError(f"{len(rows)} images to train on do not fill a batch of {size}")
        self.per_epoch = len(rows) // size
        self._images, self._targets = dataset.images, dataset.targets
        self._rows, self._size, self._mix = rows, size, mix
        self._isnull, self._seed, self._synthetic = isnull, seed, synthetic
        self._alike = {
            int(target): rows[dataset.targets[rows] == target]
            for target in np.unique(dataset.targets[rows])
        }

    def at(self, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """Images uint8 (size, s, s, 3) and class indexes int32 (size,) of batch number `step`."""
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
            targets[index] = self._isnull
        for index in self._share(made, self._mix.joined):
            alike = rng.choice(self._alike[int(targets[index])])
            images[index] = join(images[index], self._images[alike], rng)
        if self._synthetic is not None:
            for index in self._share(made, self._mix.synthetic):
                row = rng.integers(len(self._synthetic))
                images[index] = self._synthetic.images[row]
                targets[index] = self._synthetic.targets[row]
        return images, targets

    def _share(self, places: Iterator[int], share: float) -> Iterator[int]:
        """The next places of the batch, in number this share of it."""
        return islice(places, round(self._size * share))

    def _other(self, target: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """An image of another class than `target`; of any class when there is only one."""
        row = rng.choice(self._rows)
        while self._targets[row] == target and len(self._alike) > 1:
            row = rng.choice(self._rows)
        return np.array(self._images[row])
