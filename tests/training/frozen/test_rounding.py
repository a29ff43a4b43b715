import numpy as np
import pytest
import tensorflow as tf

from model.training.frozen.rounding import _twelve_bits, quantise, rounded, whole

KERNEL, VOCABULARY = (100, 250), (50, 20_000)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_rounding_errs_by_less_than_a_step_of_each_channel(bits: int) -> None:
    kernel = np.random.default_rng(0).normal(0, [0.01, 1, 100], (64, 3)).astype(np.float32)

    whole, scale = quantise(kernel, 1, bits)

    assert np.abs(whole).max() < 2 ** (bits - 1)
    error = np.abs(whole * scale - kernel)
    assert (np.median(error, axis=0) < scale / 2).all()


def testtwelve_bits_come_back_as_they_were() -> None:
    whole = np.arange(-2047, 2048, dtype=np.int16)[:-1].reshape(2, -1)

    assert (_twelve_bits(whole).numpy() * 16 == whole).all()


@pytest.fixture(scope="module")
def graph() -> tf.compat.v1.GraphDef:
    """Two kernels behind each other, the second with a column for each of many characters."""
    random = np.random.default_rng(1)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, KERNEL[0]), "image")
        inner = tf.constant(random.normal(0, 1, KERNEL).astype(np.float32), name="inner")
        outer = tf.constant(random.normal(0, 1, VOCABULARY).astype(np.float32), name="outer")
        tf.matmul(tf.matmul(image, inner)[:, : VOCABULARY[0]], outer, name="out")
    return graph.as_graph_def()


def arrays(graph: tf.compat.v1.GraphDef) -> dict[str, np.ndarray]:
    constants = [node for node in graph.node if node.op == "Const"]
    return {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in constants}


def test_a_kernel_of_a_whole_vocabulary_keeps_twelve_bits(graph: tf.compat.v1.GraphDef) -> None:
    small = rounded(graph)
    numbers = VOCABULARY[0] * VOCABULARY[1] * 1.5 + KERNEL[0] * KERNEL[1] * 2
    scales = (VOCABULARY[1] + KERNEL[1]) * 4
    assert small.ByteSize() == pytest.approx(numbers + scales, rel=0.01)
    before, after = arrays(graph), arrays(whole(small))
    for name, bits in (("inner", 16), ("outer", 12)):
        step = np.abs(before[name]).max(axis=0) / (2 ** (bits - 1) - 1)
        assert (np.median(np.abs(after[name] - before[name]), axis=0) < step / 2).all()


def test_what_is_rounded_again_stays_as_it_is(graph: tf.compat.v1.GraphDef) -> None:
    once = whole(rounded(graph))
    again = arrays(whole(rounded(once)))
    for name, array in arrays(once).items():
        assert np.allclose(again[name], array, rtol=1e-5, atol=0)
