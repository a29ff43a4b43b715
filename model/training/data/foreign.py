"""Foreign characters: which of the drawn images of `isnull` shows which character.

Told that all of them are one class, a network looks for what a thousand characters have in common,
which is nothing. Told beside it which is which, it learns strokes by which to tell them from the
list's (an auxiliary task; Caruana, "Multitask Learning", 1997).
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from model.training.data.labels import ISNULL

_NAME = re.compile(rf"\d+_(.)_{ISNULL}")


def foreign_of(names: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The characters that images `<number>_<character>_isnull.jpg` show, and which each (n,) does.

    -1 stands for an image whose name tells of none.
    """
    found = [_NAME.fullmatch(PurePosixPath(name).stem) for name in names]
    shown = [match[1] if match else "" for match in found]
    characters = tuple(sorted({each for each in shown if each}))
    places = {character: place for place, character in enumerate(characters)}
    return characters, np.array([places.get(each, -1) for each in shown], np.int32)
