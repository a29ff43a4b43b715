"""A reader of lines as a member: a network that reads text is shown one character.

Such a network tells of every column of a line how probable each of its characters is there. It
knows many more than an ensemble's labels, so that it says of a foreign one which that is. It looks
at pictures in its own way, and does not err together with members that were trained alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from model.training.data.labels import ISNULL
from model.training.errors import DataError
from model.training.frozen.foreign import SCALINGS, frozen
from model.training.frozen.onnx import OnnxNetwork
from model.training.frozen.parity import Parity, compare, frozen_answers, in_batches
from model.training.frozen.rounding import rounded
from model.training.judge.evaluation import Images

# Pixels: as high as the lines that such networks are trained on.
HEIGHT = 48
_CHARACTERS = "character"
_LEAST = 1e-12


class LineReader:
    """A function of pictures (n, size, size, 3), RGB 0-255, to probabilities (n, labels).

    `isnull` gets what the likeliest ideograph has that is not among the labels.
    """

    def __init__(
        self,
        path: Path,
        labels: tuple[str, ...],
        size: int,
        *,
        width: int = HEIGHT,
        learns: bool = False,
    ) -> None:
        """``path``: an ONNX file as PaddleOCR's are, with its characters, a line each, in it.

        ``width``: pixels that a picture is wide where it is 48 high; one that sees characters
        wider errs otherwise. What ``learns`` has its kernels and biases in ``variables``, and
        need not know all labels.

        Raises:
            DataError: it is none, or does not know the labels.
        """
        self._path, self._size = path, size
        self._network = OnnxNetwork(path, (HEIGHT, width), learns=learns)
        self.variables = self._network.variables
        listed = self._network.note(_CHARACTERS)
        if listed is None:
            raise DataError(f"{path} does not tell which characters it reads")
        if ISNULL not in labels or size % HEIGHT:
            raise DataError(
                f"a reader of lines goes with labels among which is {ISNULL}, and with pictures of"
                f" a multiple of {HEIGHT} px"
            )
        # Before them comes the sign for none at all.
        at = {character: place for place, character in enumerate(listed.split("\n"), start=1)}
        characters = [label for label in labels if label != ISNULL]
        unknown = [character for character in characters if character not in at]
        foreign = {each for each in at if "\u4e00" <= each <= "\u9fff"} - set(characters)
        # What learns them is shown no letters and signs, whose places are theirs then.
        free = [at[each] for each in at if each not in foreign | set(characters)] if learns else []
        if len(unknown) > len(free):
            raise DataError(f"{path} does not know {len(unknown)} of the labels: {unknown[:5]}")
        at.update(zip(unknown, free, strict=False))
        self._places = [at[character] for character in characters]
        self._foreign = sorted(at[each] for each in foreign)
        self._back = np.argsort([*map(labels.index, characters), labels.index(ISNULL)])
        rows = size // HEIGHT
        self._width, self._window = width, (rows, rows if width == HEIGHT else 1)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """The root of the highest that each label reaches in any column, as shares."""
        small = tf.nn.avg_pool2d(image, self._window, self._window, "VALID")
        if self._width != HEIGHT:
            small = tf.image.resize(small, (HEIGHT, self._width))
        blue_first = tf.gather(SCALINGS["-1..1"](small), [2, 1, 0], axis=3)
        columns = self._network(blue_first)
        known = tf.reduce_max(tf.gather(columns, self._places, axis=2), axis=1)
        foreign = tf.reduce_max(tf.gather(columns, self._foreign, axis=2), axis=(1, 2))
        # Such networks are so sure that one would outvote several members: their roots are softer.
        heights = tf.sqrt(tf.concat([known, foreign[:, None]], axis=1) + _LEAST)
        shares = heights / tf.reduce_sum(heights, axis=1, keepdims=True)
        return tf.gather(shares, self._back, axis=1)

    def frozen(self, images: Images) -> tuple[tf.compat.v1.GraphDef, Parity]:
        """As a graph of rounded kernels, and how that answers images (n, size, size, 3).

        Raises:
            ExportError: it cannot be one, or answers otherwise.
        """
        graph = rounded(frozen(self, (self._size, self._size), self._path))
        parity = compare(in_batches(self, images), frozen_answers(graph, images))
        parity.prove(str(self._path), "it cannot be taken over")
        return graph, parity
