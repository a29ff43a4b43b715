"""A tiny world: three drawn characters, and a network of the kinds of layers that members have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

LABELS = ("A", "O", "X", "isnull")
# Of a bundle with a member of this world.
FACTS = {
    "name": "tiny", "version": "1", "labels": LABELS, "licence": "none",
    "input": {"height": 32, "width": 32}, "engines": {"tensorflow": 1.0},
    "isnull": {"label": "isnull", "threshold": 0.9},
    "accuracy": {}, "provenance": {"by": "hand"},
}  # fmt: skip


def tiny_network(classes: int, size: int | None = None) -> keras.Model:
    """Every kind of layer of EfficientNet once, in a few thousand weights."""
    import keras

    from model.training.fit.network import TRUNK_END

    layers = keras.layers
    image = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Normalization()(x)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.Conv2D(40, 3, strides=2, padding="valid", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("swish")(x)
    y = layers.DepthwiseConv2D(5, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.Activation("swish")(y)
    s = layers.GlobalAveragePooling2D()(y)
    s = layers.Reshape((1, 1, 40))(s)
    s = layers.Conv2D(30, 1, activation="swish")(s)
    s = layers.Conv2D(40, 1, activation="sigmoid")(s)
    y = layers.Multiply()([y, s])
    y = layers.Conv2D(40, 1, use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    y = layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))(y)
    x = layers.Add(name=TRUNK_END)([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes)(layers.Dropout(0.1)(x)))


def trained_network(classes: int, images: np.ndarray) -> keras.Model:
    """Random weights, batch norms that do something, answers that differ between images."""
    import keras

    keras.utils.set_random_seed(5)
    model = tiny_network(classes, 32)
    rng = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    kernel, bias = model.layers[-1].get_weights()
    middle = model(images.astype(np.float32)).numpy().mean(axis=0)
    model.layers[-1].set_weights([kernel * 5, (bias - middle) * 5])
    return model
