"""The member network: EfficientNetB0, global average pooling, one dense layer of logits."""

from pathlib import Path

import keras

from model.training.errors import CheckpointError, DataError

STRIDE = 32
# Up to here the layers see strokes and paper; nearly all weights are behind it.
TRUNK_END = "block4c_add"


def build(classes: int, size: int | None = None, dropout: float = 0.2) -> keras.Model:
    """RGB 0-255 float32 (n, size, size, 3) to logits float32 (n, classes).

    Without `size` the network takes pictures of any size that is a multiple of 32; its variables
    are the same for every size.
    """
    check_size(size)
    backbone = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    dropped = keras.layers.Dropout(dropout)(pooled)
    logits = keras.layers.Dense(classes, name="logits")(dropped)
    return keras.Model(backbone.input, logits)


def with_foreign(model: keras.Model, characters: int) -> keras.Model:
    """The network, and beside its logits those (n, characters) of an auxiliary head.

    The head shares all but the last layer, and stays behind when the network goes on alone.
    """
    head = keras.layers.Dense(characters, name="foreign")(model.layers[-1].input)
    return keras.Model(model.input, [model.output, head])


def check_size(size: int | None) -> None:
    """Raise DataError for a size at which a stride of the network would pad otherwise."""
    if size is not None and (size < STRIDE or size % STRIDE):
        raise DataError(f"an input size of {size} px: it must be a multiple of {STRIDE}")


def load_backbone(model: keras.Model, path: Path) -> None:
    """Fill all but the last layer from a weights file of EfficientNetB0 without its top.

    Raises CheckpointError when the file is missing, corrupt or of another network.
    """
    backbone = keras.applications.EfficientNetB0(include_top=False, weights=None)
    try:
        backbone.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"cannot read the weights {path}: {error}") from error
    for source, target in zip(_weighted(backbone), _weighted(model), strict=False):
        target.set_weights(source.get_weights())


def _weighted(model: keras.Model) -> list[keras.Layer]:
    """Layers with weights in order; their names differ, as Keras numbers some of them anew.

    The normalisation of the input stays as it is, the identity: the batch norm behind the first
    convolution does its work, and Keras heeds new statistics only in a network it builds anew.
    """
    return [
        layer
        for layer in model.layers
        if layer.weights and not isinstance(layer, keras.layers.Normalization)
    ]
