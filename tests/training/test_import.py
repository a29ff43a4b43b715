"""Importing tiny models of every format, and those that cannot be imported."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from model.bundle import MANIFEST, Bundle
from model.engines import ENGINES
from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.image import decode
from model.training.errors import DataError, ExportError
from model.training.frozen import foreign
from model.training.import_ import import_models
from tests.training.frozen.test_onnx import write
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]
SIDE = 24
NAMES = {"name": "own", "version": "1", "licence": "mine"}
# Of Keras, when it writes a model to a file.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:.*HDF5.*"
)


def model(
    seed: int = 1, *, side: int | None = SIDE, classes: int = len(LABELS), last: str = "softmax"
) -> keras.Model:
    """A small network with a batch norm that does something."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((side, side, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(classes, activation=last),
        ]
    )
    norm = network.layers[2]
    rng = np.random.default_rng(seed)
    norm.set_weights([rng.uniform(0.5, 2, each.shape) for each in norm.get_weights()])
    return network


def saved(path: Path, network: keras.Model) -> Path:
    network.save(path)
    return path


@pytest.fixture
def images(draw: Draw) -> Path:
    return draw("images", 12)


def mean_of(networks: list[keras.Model], image: Path) -> Any:
    pixels = decode(image.read_bytes(), SIDE, SIDE).astype(np.float32)[None]
    return np.mean([network(pixels, training=False).numpy()[0] for network in networks], axis=0)


def test_two_models_become_an_ensemble_on_every_engine(images: Path, tmp_path: Path) -> None:
    networks = [model(1), model(2)]
    paths = [saved(tmp_path / f"{n}.keras", each) for n, each in enumerate(networks)]

    import_models(paths, LABELS, tmp_path / "bundle", images=images, **NAMES)

    for name in ENGINES:
        ensemble = Ensemble.load(tmp_path / "bundle", name, 1)
        for image in images.iterdir():
            expected = mean_of(networks, image)
            reading = ensemble.read(image.read_bytes())
            assert reading.answer == LABELS[int(expected.argmax())]
            assert reading.probability == pytest.approx(expected.max(), abs=1e-4)


def test_a_saved_model_is_imported(images: Path, tmp_path: Path) -> None:
    network = model()
    network.export(tmp_path / "folder", verbose=False)

    import_models([tmp_path / "folder"], LABELS, tmp_path / "bundle", images=images, **NAMES)

    image = next(images.iterdir())
    reading = Ensemble.load(tmp_path / "bundle", "openvino", 1).read(image.read_bytes())
    assert reading.probability == pytest.approx(mean_of([network], image).max(), abs=1e-4)


def test_an_h5_file_with_logits_gets_its_softmax(images: Path, tmp_path: Path) -> None:
    network = model(last="linear")
    path = saved(tmp_path / "old.h5", network)

    import_models([path], LABELS, tmp_path / "bundle", images=images, **NAMES)

    image = next(images.iterdir())
    expected = tf.nn.softmax(mean_of([network], image)).numpy().max()
    reading = Ensemble.load(tmp_path / "bundle", "openvino", 1).read(image.read_bytes())
    assert reading.probability == pytest.approx(expected, abs=1e-4)


def test_an_onnx_file_is_imported(images: Path, tmp_path: Path) -> None:
    kernel = np.random.default_rng(1).normal(0, 1, (len(LABELS), 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["seen"]),
        helper.make_node("ReduceMean", ["seen"], ["out"], axes=[2, 3], keepdims=0),
    ]
    path = write(tmp_path / "own.onnx", nodes, {"kernel": kernel}, ("n", 3, SIDE, SIDE))

    import_models(
        [path], LABELS, tmp_path / "bundle", images=images, scaling="0..1", output="logits", **NAMES
    )

    image = next(images.iterdir())
    pixels = decode(image.read_bytes(), SIDE, SIDE) / 255
    expected = tf.nn.softmax(kernel[..., 0, 0] @ pixels.mean(axis=(0, 1))).numpy()
    for name in ENGINES:
        reading = Ensemble.load(tmp_path / "bundle", name, 1).read(image.read_bytes())
        assert reading.answer == LABELS[int(expected.argmax())]
        assert reading.probability == pytest.approx(expected.max(), abs=1e-4)


@pytest.mark.parametrize(
    ("scaling", "low", "high"), [("0..255", 0, 255), ("0..1", 0, 1), ("-1..1", -1, 1)]
)
def test_the_scaling_is_part_of_the_graph(scaling: str, low: float, high: float) -> None:
    graph = foreign.frozen(foreign.SCALINGS[scaling], (8, 8), Path("m"))

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph, name="")
        scaled = session.run("probabilities:0", {"image:0": [[[[0, 0, 255]] * 8] * 8]})
    assert scaled[0, 0, 0].tolist() == [low, low, high]


def test_the_scaling_of_imagenet() -> None:
    middle = foreign.SCALINGS["imagenet"](foreign.IMAGENET_MEAN + foreign.IMAGENET_DEVIATION)

    np.testing.assert_allclose(middle, [1, 1, 1], rtol=1e-6)


def test_golden_images_of_ones_own_must_be_read_so(images: Path, tmp_path: Path) -> None:
    network = model()
    path = saved(tmp_path / "m.keras", network)
    image = next(images.iterdir())
    answer = LABELS[int(mean_of([network], image).argmax())]
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / f"1_{answer}.jpg").write_bytes(image.read_bytes())

    import_models([path], LABELS, tmp_path / "bundle", golden=golden, **NAMES)

    written = json.loads((tmp_path / "bundle" / MANIFEST).read_text(encoding="utf-8"))
    assert written["golden"][0]["answer"] == answer
    assert written["provenance"]["compared_on"] == "16 pictures of noise"
    (golden / f"1_{answer}.jpg").rename(golden / f"1_{LABELS[LABELS.index(answer) - 1]}.jpg")
    with pytest.raises(BundleInvalid, match="the manifest says"):
        import_models([path], LABELS, tmp_path / "bundle", golden=golden, **NAMES)


def test_a_model_of_any_size_is_told_its_size(images: Path, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.keras", model(side=None))

    with pytest.raises(DataError, match="any size"):
        import_models([path], LABELS, tmp_path / "bundle", images=images, **NAMES)
    bundle = import_models([path], LABELS, tmp_path / "bundle", images=images, size=40, **NAMES)

    assert (bundle.manifest.input.height, bundle.manifest.input.width) == (40, 40)


class Own(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


def custom(path: Path) -> Path:
    image = keras.Input((SIDE, SIDE, 3))
    return saved(path, keras.Model(image, keras.layers.GlobalAveragePooling2D()(Own()(image))))


def two_inputs(path: Path) -> Path:
    images = [keras.Input((SIDE, SIDE, 3)) for _ in range(2)]
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()(images))
    return saved(path, keras.Model(images, pooled))


def channels_first(path: Path) -> Path:
    image = keras.Input((3, SIDE, SIDE))
    return saved(path, keras.Model(image, keras.layers.Flatten()(image)))


def too_few_classes(path: Path) -> Path:
    return saved(path, model(classes=2))


def shares_of_nothing(path: Path) -> Path:
    return saved(path, model(last="sigmoid"))


def corrupt(path: Path) -> Path:
    path.write_bytes(b"no model" * 100)
    return path


def missing(path: Path) -> Path:
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (custom, "class of its own, Own"),
        (two_inputs, "2 inputs and 1 outputs"),
        (channels_first, "channels last"),
        (too_few_classes, r"scores of the shape \(2,\) for 4 labels"),
        (shares_of_nothing, "do not sum to 1"),
        (corrupt, "cut short or damaged"),
        (missing, "no such model"),
    ],
)
def test_what_cannot_be_imported_is_told(
    make: Callable[[Path], Path], message: str, images: Path, tmp_path: Path
) -> None:
    path = make(tmp_path / "m.keras")

    with pytest.raises(DataError, match=message):
        import_models([path], LABELS, tmp_path / "out" / "bundle", images=images, **NAMES)

    assert not (tmp_path / "out").exists()


def test_models_of_different_sizes_are_no_ensemble(images: Path, tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{side}.keras", model(side=side)) for side in (24, 32)]

    with pytest.raises(DataError, match="differ in input size"):
        import_models(paths, LABELS, tmp_path / "bundle", images=images, **NAMES)


def test_a_model_that_does_more_than_compute_is_refused(images: Path, tmp_path: Path) -> None:
    class Curious(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            length = tf.strings.length(tf.io.read_file("/etc/hostname"))
            scores = tf.reduce_mean(image, (1, 2)) + tf.cast(length, tf.float32)
            return tf.concat([scores, scores[:, :1]], axis=1)

    curious = Curious()
    tf.saved_model.save(curious, str(tmp_path / "m"), signatures=curious.__call__)

    with pytest.raises(ExportError, match="ReadFile, StringLength"):
        import_models([tmp_path / "m"], LABELS, tmp_path / "bundle", images=images, **NAMES)


def test_a_bundle_needs_a_golden_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs golden images"):
        import_models([tmp_path / "m.keras"], LABELS, tmp_path / "bundle", **NAMES)


def test_a_failure_leaves_the_old_bundle(images: Path, tmp_path: Path) -> None:
    good = saved(tmp_path / "good.keras", model())
    import_models([good], LABELS, tmp_path / "out" / "bundle", images=images, **NAMES)

    with pytest.raises(DataError, match="cut short or damaged"):
        import_models(
            [good, corrupt(tmp_path / "bad.keras")], LABELS, tmp_path / "out" / "bundle",
            images=images, **NAMES,
        )  # fmt: skip

    assert Bundle.open(tmp_path / "out" / "bundle").id == "own/1"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bundle"]
