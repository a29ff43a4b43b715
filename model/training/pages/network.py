"""The detector's network: where on a sheet characters are, a quarter as fine as its pixels."""

from __future__ import annotations

import keras
from keras import layers

# Handwriting, print; then how far the box reaches left, up, right and down, as logarithms.
HEATS, SIDES = 2, 4
_WIDTHS = (16, 32, 64, 96, 128)


def build() -> keras.Model:
    """RGB 0-255 float32 (n, h, w, 3) to logits float32 (n, h/4, w/4, 6); h, w: multiples of 32.

    Down to a thirty-second and up again: what a large character is must be seen from afar, where
    it ends from near.
    """
    image = keras.Input((None, None, 3))
    value = layers.Rescaling(1 / 64, -2)(image)
    value = _convolved(value, _WIDTHS[0], 2)
    passed = []
    for depth, width in enumerate(_WIDTHS[1:]):
        value = _convolved(value, width, 2)
        for _ in range(min(depth + 1, 2)):
            value = _residual(value, width)
        passed.append(value)
    value = passed.pop()
    for width in reversed(_WIDTHS[1:-1]):
        value = layers.UpSampling2D(2, interpolation="nearest")(_convolved(value, width, size=1))
        value = _convolved(layers.Add()([value, passed.pop()]), width)
    value = _convolved(value, _WIDTHS[1])
    # Hardly anything is a character: an even start would spend its first steps on learning that.
    bias = keras.initializers.Constant([-3.0] * HEATS + [0.0] * SIDES)
    return keras.Model(
        image, layers.Conv2D(HEATS + SIDES, 1, bias_initializer=bias, name="logits")(value)
    )


def _convolved(
    value: keras.KerasTensor, width: int, stride: int = 1, size: int = 3
) -> keras.KerasTensor:
    if stride > 1:  # TensorFlow's own padding would depend on the picture's size
        value = layers.ZeroPadding2D(1)(value)
    padding = "valid" if stride > 1 else "same"
    value = layers.Conv2D(width, size, stride, padding, use_bias=False)(value)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.97)(value))


def _residual(value: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.Add()([value, _convolved(value, width)])
