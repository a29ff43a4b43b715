"""Keras files: a network is read from one, or what the file is instead is told in a sentence.

A file is recognised by its content before Keras sees it, since what Keras says of a file that it
does not know would send nobody to the right place.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras

from model.training.errors import DataError

ZIP, HDF5, TFLITE, PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"TFL3", b"\x80\x02"
OTHERS = {
    ".pt": "a PyTorch file",
    ".pth": "a PyTorch file",
    ".pb": "one file of a SavedModel, which is imported as the folder it lies in, or a lone graph",
    ".ckpt": "a checkpoint, which holds weights without their network",
}
WANTED = "import a .keras or .h5 file of Keras, the folder of a SavedModel, or an .onnx file"
EXPORT = "import the folder that model.export(folder) writes where the model was made"
DAMAGED = "is cut short or damaged: copy or save it again"
# What Keras says of a cause, and what a person makes of it.
CAUSES = {
    "`Lambda`": "has a Lambda layer, whose code is not run here",
    "OpLambda": "has operations as layers, in a form that only Keras 2 reads",
    "cannot contain character `/`": "has slashes in layers' names, as only Keras 2 allows",
}
# These change a picture only in training, whatever they draw their chances from.
AUGMENTATION = (
    "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip", "RandomRotation",
    "RandomTranslation", "RandomZoom",
)  # fmt: skip
# What Keras 2 wrote without need. A depthwise convolution had never more than this one group.
NEEDLESS = (
    ("groups", 1),
    ("rng_type", "stateful"),
    ("rng_type", "stateless"),
    ("rng_type", "legacy_stateful"),
)
CUSTOM = re.compile(r"(?:Could not locate class|Unknown layer:) '([^']+)'")


def read(path: Path) -> keras.Model:
    """The network of a .keras or .h5 file; raises DataError that says what to do instead."""
    try:
        _recognise(path)
        return keras.models.load_model(path, custom_objects=_of_keras_2(), compile=False)
    except DataError:
        raise
    except Exception as error:  # every format fails in its own way
        raise DataError(f"{path} {_told(error)}") from error


def _of_keras_2() -> dict[str, Any]:
    """Layers by name, each read without what Keras 2 wrote of it and Keras 3 does not know."""
    layers = {name: getattr(keras.layers, name) for name in ("DepthwiseConv2D", *AUGMENTATION)}
    return {
        name: type(name, (layer,), {"from_config": _known(layer)}) for name, layer in layers.items()
    }


def _known(layer: type[keras.Layer]) -> Any:
    def from_config(config: dict[str, Any]) -> keras.Layer:
        dropped = {key for key, value in NEEDLESS if config.get(key) == value}
        return layer.from_config({key: config[key] for key in config.keys() - dropped})

    return staticmethod(from_config)


def _recognise(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(ZIP):
        _recognise_zip(path)
    elif head == HDF5:
        _recognise_hdf5(path)
    elif head[4:] == TFLITE:
        raise DataError(
            f"{path} is a TensorFlow Lite file, which only its interpreter reads: {WANTED}"
        )
    elif other := OTHERS.get(path.suffix.lower()):
        raise DataError(f"{path} is {other}: {WANTED}")
    elif path.suffix.lower() in (".keras", ".h5", ".hdf5"):
        raise DataError(f"{path} {DAMAGED}")
    else:
        raise DataError(f"{path} is no model that is known here: {WANTED}")


def _recognise_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(name.endswith("data.pkl") for name in names):
                raise DataError(f"{path} is a PyTorch file: {WANTED}")
            if "config.json" not in names:
                raise DataError(f"{path} is a zip file without a model: {WANTED}")
            version = json.loads(archive.read("metadata.json"))["keras_version"]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(f"{path} {DAMAGED}") from error
    if version.startswith("2."):
        raise DataError(
            f"{path} is a .keras file of Keras {version}, which Keras 3 cannot read: load it with"
            " Keras 2 and save it as .h5, or export it as a SavedModel"
        )


def _recognise_hdf5(path: Path) -> None:
    try:
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                raise DataError(
                    f"{path} holds weights without their network: build the network, load them"
                    " into it, and save it with model.save(file)"
                )
    except OSError as error:
        raise DataError(f"{path} {DAMAGED}") from error


def _told(error: Exception) -> str:
    """What a person can do about what Keras says."""
    text = str(error)
    for part, sentence in CAUSES.items():
        if part in text:
            return f"{sentence}: {EXPORT}"
    if custom := CUSTOM.search(text):
        return f"has a class of its own, {custom[1]}, which is not known here: {EXPORT}"
    return f"cannot be loaded: {first_line(error)}"


def first_line(error: Exception) -> str:
    """The line that tells most: Keras puts the cause behind the whole configuration."""
    text = str(error).rpartition("Exception encountered: ")[2].strip()
    return next(iter(text.splitlines()), type(error).__name__)[:300].rstrip(".")
