"""Engines: two of them, one meaning; a graph that is no mere computation is refused."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.engines import ENGINES, Pixels, engine
from model.engines.cache import Cache
from model.errors import BundleInvalid, EngineUnavailable
from model.image import decode
from tests.model.graphs import BLUE, GREEN, RED, SIDE, logits, picture, softmax

if TYPE_CHECKING:
    import tensorflow as tf

each_engine = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.tensorflow] if name == "tensorflow" else [])
        for name in ENGINES
    ],
)


def pictures() -> list[Pixels]:
    noise = np.random.default_rng(7).integers(0, 256, (20, SIDE, SIDE, 3))
    sheets = [decode(picture(colour), SIDE, SIDE) for colour in (RED, GREEN, BLUE)]
    return [pixels.astype(np.float32) for pixels in [*sheets, *noise]]


def test_both_engines_answer_alike(materials: Path) -> None:
    graph = materials / "second.pb"
    reference, fastest = (engine(name).load(graph, 1) for name in ("tensorflow", "openvino"))

    for pixels in pictures():
        expected, found = reference(pixels), fastest(pixels)
        assert found.argmax() == expected.argmax()
        np.testing.assert_allclose(found, expected, atol=1e-3)


@each_engine
def test_an_engine_gives_one_distribution_an_image(name: str, materials: Path) -> None:
    network = engine(name).load(materials / "first.pb", 1)

    probabilities = network(pictures()[0])

    assert probabilities.shape == (3,)
    assert probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1.0)


@each_engine
def test_an_answer_outlives_the_next_one(name: str, materials: Path) -> None:
    network = engine(name).load(materials / "first.pb", 1)
    red, green, *_ = pictures()

    first = network(red)
    copy = first.copy()
    network(green)

    np.testing.assert_array_equal(first, copy)


@each_engine
def test_members_may_be_loaded_with_different_threads(name: str, materials: Path) -> None:
    one = engine(name).load(materials / "first.pb", 1)
    one(pictures()[0])

    two = engine(name).load(materials / "first.pb", 2)

    np.testing.assert_allclose(one(pictures()[1]), two(pictures()[1]), atol=1e-5)


def test_the_answer_is_the_output_of_that_name(freeze: Callable[..., Path], tmp_path: Path) -> None:
    """Whatever else the graph puts out, and in whatever order."""
    import tensorflow as tf

    def head(image: tf.Tensor) -> tf.Tensor:
        tf.identity(tf.reduce_mean(image, axis=[1, 2]), name="another")
        return softmax(logits(image))

    graph = freeze(tmp_path / "graph.pb", head)

    for name in ENGINES:
        assert engine(name).load(graph, 1)(pictures()[0]).sum() == pytest.approx(1.0)


def test_an_unknown_engine_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable, match=r"'os'.*openvino, tensorflow"):
        engine("os")


def test_with_fewer_digits_it_answers_alike_on_a_cpu_that_is_made_for_it(materials: Path) -> None:
    import openvino

    made_for_it = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    try:
        reduced = engine("openvino-bf16").load(materials / "first.pb", 1)
    except EngineUnavailable:
        assert not made_for_it
        return
    assert made_for_it
    exact = engine("openvino").load(materials / "first.pb", 1)
    for pixels in pictures():
        np.testing.assert_allclose(reduced(pixels), exact(pixels), atol=0.02)
    assert any((reduced(pixels) != exact(pixels)).any() for pixels in pictures())


def test_a_cpu_that_is_not_made_for_fewer_digits_is_not_given_them(
    materials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    class Plain(openvino.Core):
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(openvino, "Core", Plain)
    with pytest.raises(EngineUnavailable, match="does not calculate with 16-bit numbers"):
        engine("openvino-bf16").load(materials / "first.pb", 1)


def test_an_engine_without_its_package_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "model.engines.openvino", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(EngineUnavailable, match=r"'openvino' needs the package"):
        engine("openvino")


@each_engine
@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"garbage " * 50, b"\x08\x08" * 9, b"<?xml version='1.0'?><net/>"],
    ids=["empty", "zeros", "text", "onnx-like", "xml"],
)
def test_a_file_that_is_no_graph_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(content)

    with pytest.raises(BundleInvalid, match=r"graph\.pb"):
        engine(name).load(graph, 1)


def reads_a_file(image: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    length = tf.strings.length(tf.io.read_file("/etc/hostname"))
    return softmax(logits(image) + tf.cast(length, tf.float32))


def writes_a_file(image: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    with tf.control_dependencies([tf.io.write_file("written-by-a-graph", "hello")]):
        return softmax(logits(image))


def calls_python(image: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    called = tf.numpy_function(lambda values: values, [logits(image)], tf.float32)
    return softmax(tf.reshape(called, [-1, 3]))


@each_engine
@pytest.mark.parametrize("head", [reads_a_file, writes_a_file, calls_python])
def test_a_graph_that_does_more_than_compute_is_refused(
    name: str,
    head: Callable[[tf.Tensor], tf.Tensor],
    freeze: Callable[..., Path],
    tmp_path: Path,
) -> None:
    graph = freeze(tmp_path / "graph.pb", head)

    with pytest.raises(BundleInvalid, match=r"graph\.pb"):
        engine(name).load(graph, 1)


def test_a_graph_with_functions_is_refused_by_the_reference(
    freeze: Callable[..., Path], tmp_path: Path
) -> None:
    """Their operations would be called by a name that looks harmless."""
    import tensorflow as tf

    graph = freeze(tmp_path / "graph.pb")
    definition = tf.compat.v1.GraphDef.FromString(graph.read_bytes())
    definition.library.function.add().signature.name = "harmless"
    graph.write_bytes(definition.SerializeToString())

    with pytest.raises(BundleInvalid, match="functions"):
        engine("tensorflow").load(graph, 1)


def test_what_was_compiled_once_is_loaded_and_answers_the_same(
    materials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.engines import openvino

    graph, cache = materials / "second.pb", Cache(tmp_path / "cache")
    compiled = openvino.load(graph, 1, cache)
    with monkeypatch.context() as patch:
        patch.setattr(openvino, "_compile", lambda *_: pytest.fail("compiled again"))
        kept = openvino.load(graph, 1, cache)
    for pixels in pictures():
        np.testing.assert_array_equal(kept(pixels), compiled(pixels))
    for path in (tmp_path / "cache").iterdir():
        nonsense = b"no compiled graph"
        path.write_bytes(hashlib.sha256(nonsense).digest() + nonsense)
    np.testing.assert_array_equal(openvino.load(graph, 1, cache)(pixels), compiled(pixels))
