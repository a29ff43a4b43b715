"""Files of other makes: those of Keras 2 are read where they can be, and the others named."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from model.training.errors import DataError, ExportError
from model.training.frozen import keras_file
from model.training.frozen.foreign import SCALINGS, ForeignModel, frozen

SIDE, CLASSES = 12, 4
layers = keras.layers
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:.*HDF5.*"
)


def network(*inner: Any) -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    x = image
    for layer in inner:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3)(x))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))


def saved(path: Path, model: keras.Model) -> Path:
    model.save(path)
    return path


def load(path: Path) -> ForeignModel:
    return ForeignModel.load(path, None)


def read(path: Path) -> tf.compat.v1.GraphDef:
    """As an import does it, up to the graph."""
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8)
    function = load(path).finished(SCALINGS["0..255"], "auto", noise, CLASSES)
    return frozen(function, (SIDE, SIDE), path)


def test_an_h5_file_of_keras_2_is_read_with_its_weights(tmp_path: Path) -> None:
    model = network(layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.1))
    path = saved(tmp_path / "old.h5", model)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
            if layer["class_name"].startswith("Random"):
                layer["config"]["rng_type"] = "stateful"
        file.attrs["model_config"] = json.dumps(config)
    image = np.random.default_rng(0).uniform(0, 255, (1, SIDE, SIDE, 3)).astype(np.float32)

    found = keras_file.read(path)

    # Called without a word, layers for augmentation change the picture.
    expected = model(image, training=False)
    np.testing.assert_allclose(found(image, training=False), expected, atol=1e-6)
    # A bundle's graph does not change its pictures at random.
    assert not [node for node in read(path).node if "Random" in node.op]


def lambda_layer(folder: Path) -> Path:
    return saved(folder / "m.keras", network(layers.Lambda(lambda image: image * 2)))


def lambda_layer_of_h5(folder: Path) -> Path:
    return saved(folder / "m.h5", network(layers.Lambda(lambda image: image * 2)))


def slash_in_a_name(folder: Path) -> Path:
    path = saved(folder / "m.h5", network(layers.BatchNormalization(name="norm")))
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"norm"', '"conv/norm"')
    return path


def operation_of_keras_2(folder: Path) -> Path:
    path = saved(folder / "m.h5", network(layers.ReLU()))
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"ReLU"', '"TFOpLambda"')
    return path


def rezipped(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            if (changed := change(name, data)) is not None:
                archive.writestr(name, changed)
    return path


def keras_file_of_keras_2(folder: Path) -> Path:
    def older(name: str, data: bytes) -> bytes:
        return b'{"keras_version": "2.15.0"}' if name == "metadata.json" else data

    return rezipped(saved(folder / "m.keras", network()), older)


def zip_of_anything(folder: Path) -> Path:
    def without(name: str, data: bytes) -> bytes | None:
        return None if name == "config.json" else data

    return rezipped(saved(folder / "m.keras", network()), without)


def weights_alone(folder: Path) -> Path:
    network().save_weights(folder / "m.weights.h5")
    return folder / "m.weights.h5"


def cut(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = saved(folder / name, network())
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return path

    return make


def beginning(name: str, head: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(head + b"\0" * 99)
        return folder / name

    return make


def torch_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "m.bin", "w") as archive:
        archive.writestr("m/data.pkl", b"")
    return folder / "m.bin"


def cut_saved_model(folder: Path) -> Path:
    network().export(folder / "m", verbose=False)
    graph = folder / "m" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-900])
    return folder / "m"


def saved_model_without_its_weights(folder: Path) -> Path:
    network().export(folder / "m", verbose=False)
    for path in (folder / "m" / "variables").iterdir():
        path.unlink()
    return folder / "m"


def saved_model_without_a_signature(folder: Path) -> Path:
    tf.saved_model.save(tf.Module(), str(folder / "m"))
    return folder / "m"


def one_picture_at_a_time(folder: Path) -> Path:
    image = keras.Input((SIDE, SIDE, 3), batch_size=1)
    return saved(folder / "m.keras", keras.Model(image, layers.GlobalAveragePooling2D()(image)))


def grey(folder: Path) -> Path:
    image = keras.Input((SIDE, SIDE, 1))
    return saved(folder / "m.keras", keras.Model(image, layers.GlobalAveragePooling2D()(image)))


def two_outputs(folder: Path) -> Path:
    image = keras.Input((SIDE, SIDE, 3))
    pooled = layers.GlobalAveragePooling2D()(image)
    return saved(folder / "m.keras", keras.Model(image, [pooled, pooled]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda_layer, r"Lambda layer.* model\.export\(folder\)"),
        (lambda_layer_of_h5, r"Lambda layer.* model\.export\(folder\)"),
        (slash_in_a_name, r"slashes .* model\.export\(folder\)"),
        (operation_of_keras_2, r"only Keras 2 reads: .* model\.export\(folder\)"),
        (keras_file_of_keras_2, r"\.keras file of Keras 2\.15\.0.* save it as \.h5"),
        (zip_of_anything, "zip file without a model"),
        (weights_alone, r"weights without their network: .* model\.save"),
        (cut("m.keras"), "cut short or damaged"),
        (cut("m.h5"), "cut short or damaged"),
        (beginning("m.tflite", b"\x1c\0\0\0TFL3"), "TensorFlow Lite"),
        (beginning("m.onnx", b"\x08\x07"), "ONNX"),
        (beginning("m.pth", b"\x80\x02"), "PyTorch"),
        (beginning("saved_model.pb", b"\x08\x01"), "one file of a SavedModel"),
        (beginning("m.bin", b""), "no model that is known here"),
        (beginning("m.keras", b""), "cut short or damaged"),
        (torch_archive, "PyTorch"),
        (lambda folder: folder, r"no saved_model\.pb in it"),
        (cut_saved_model, "no whole SavedModel"),
        (saved_model_without_its_weights, "no whole SavedModel"),
        (saved_model_without_a_signature, "no signature serving_default"),
        (one_picture_at_a_time, "takes batches of 1 only"),
        (grey, "height, width, 3"),
        (two_outputs, "1 inputs and 2 outputs"),
    ],
)
def test_every_cause_has_its_sentence(
    make: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    path = make(tmp_path)

    with pytest.raises(DataError, match=message) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)


def test_a_saved_model_that_augments_is_refused(tmp_path: Path) -> None:
    network(layers.RandomFlip(), layers.RandomRotation(0.1)).export(tmp_path / "m", verbose=False)

    with pytest.raises(ExportError, match=r"at random as it reads .* \.keras or \.h5 file"):
        read(tmp_path / "m")


def test_a_saved_model_whose_variables_change_is_refused(tmp_path: Path) -> None:
    class Counting(tf.Module):
        def __init__(self) -> None:
            self.count = tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3))])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            scores = tf.reduce_mean(image, (1, 2)) + self.count.assign_add(1.0)
            return tf.concat([scores, scores[:, :1]], axis=1)

    counting = Counting()
    tf.saved_model.save(counting, str(tmp_path / "m"), signatures=counting.__call__)

    with pytest.raises(ExportError, match="stay as they are"):
        read(tmp_path / "m")


def test_a_saved_model_of_tensorflow_1_is_read(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.float32, (None, SIDE, SIDE, 3))
        kernel = tf.compat.v1.get_variable("kernel", (3, CLASSES))
        scores = tf.nn.softmax(tf.matmul(tf.reduce_mean(image, (1, 2)), kernel))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "m"), {"image": image}, {"scores": scores}
        )

    assert read(tmp_path / "m").node


def test_a_model_that_fails_at_reading_is_told(tmp_path: Path) -> None:
    class Picky(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3))])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            return tf.reshape(image, (-1, 5, 7, 11))

    picky = Picky()
    tf.saved_model.save(picky, str(tmp_path / "m"), signatures=picky.__call__)

    with pytest.raises(DataError, match="fails at reading: "):
        read(tmp_path / "m")
