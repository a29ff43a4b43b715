"""A teacher: what members of a bundle read in the very looks that a training learns from.

Of hand-typed labels some are wrong, and a network with enough time learns them by heart. What an
ensemble made of the same images reads is a second witness: it contradicts most wrong labels, and
says which characters an image nearly is (Hinton et al., "Distilling the Knowledge in a Neural
Network", 2015). It looks at each picture as it is changed for the pupil, or it would teach the
picture before the change (Beyer et al., "Knowledge distillation: A good teacher is patient and
consistent", 2022).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from model.bundle import Bundle
from model.engines import ENGINES, engine
from model.manifest import Member
from model.training.data.augmentation import plain
from model.training.errors import DataError
from model.training.judge.evaluation import Floats

# How much a teacher's opinion counts beside the label.
TRUST = 0.5
Flags = npt.NDArray[np.bool_]


class Teacher:
    """Members of a bundle, by its fastest engine."""

    def __init__(
        self, bundle: Bundle, numbers: Sequence[int] | None, labels: Sequence[str]
    ) -> None:
        """`numbers` of the members that teach, counted from 1; None for all.

        Raises DataError when the bundle has other labels, a picture that is not square, or no such
        member; and what ``model.engines`` does.
        """
        manifest = bundle.manifest
        if manifest.labels != tuple(labels):
            raise DataError(f"{bundle.id} has other labels: it cannot teach these")
        if manifest.input.height != manifest.input.width:
            raise DataError(f"{bundle.id} reads pictures that are not square: it cannot teach here")
        self.size = manifest.input.height
        paths = [bundle.path(member.graph) for member in chosen(bundle, numbers)]
        runtime = engine(ENGINES[0])
        self._networks = [runtime.load(path, 1) for path in paths]

    def soften(self, wanted: Floats, looks: tf.Tensor, rows: Flags) -> Floats:
        """`wanted` (n, classes), in those rows (n,) mixed half with what the teacher reads.

        `looks` are float32 (n, s, s, 3), RGB 0-255, of any size.
        """
        pictures = plain(looks, self.size).numpy()[rows]
        softened = wanted.copy()
        softened[rows] += TRUST * (np.stack([self._read(each) for each in pictures]) - wanted[rows])
        return softened

    def _read(self, picture: Floats) -> Floats:
        """The members' mean probabilities (classes,)."""
        read = [network(picture) for network in self._networks]
        return np.asarray(np.mean(read, axis=0), np.float32)


def chosen(bundle: Bundle, numbers: Sequence[int] | None) -> list[Member]:
    """The members of these numbers, counted from 1, or all; raises DataError for other numbers."""
    members = bundle.manifest.members
    if numbers is None:
        return list(members)
    if not set(numbers) <= set(range(1, len(members) + 1)):
        raise DataError(f"{bundle.id} has members 1 to {len(members)}, not all of {list(numbers)}")
    return [members[number - 1] for number in numbers]
