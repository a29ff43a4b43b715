"""What a bundle makes of the images of a training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.bundle import Bundle
from model.packing import pack
from model.training.data.dataset import load
from model.training.errors import DataError
from model.training.fit.teacher import TRUST, Teacher
from model.training.frozen.freeze import freeze
from model.training.frozen.parity import network_answers
from tests.training.world import FACTS, LABELS, trained_network

Draw = Callable[[str, int], Path]


def bundle_of(folder: Path, data: Path, labels: tuple[str, ...] = LABELS) -> Bundle:
    """One member that answers differently to different images."""
    model = trained_network(len(labels), load(data, LABELS, 32, folder / "cache").images[:6])
    folder.mkdir(exist_ok=True)
    (folder / "1.pb").write_bytes(freeze(model, "fp32").SerializeToString())
    shutil.copy(data / "0_A.jpg", folder / "golden.jpg")
    facts = {**FACTS, "labels": labels}
    return pack(folder / "bundle", [folder / "1.pb"], {folder / "golden.jpg": "A"}, facts)


@pytest.fixture
def data(draw: Draw) -> Path:
    return draw("data", 9)


def test_rows_are_softened_by_what_the_bundle_reads_in_the_looks(
    data: Path, tmp_path: Path
) -> None:
    teacher = Teacher(bundle_of(tmp_path / "teacher", data), None, LABELS)
    images = load(data, LABELS, 32, tmp_path / "cache").images
    looks = tf.cast(255 - images, tf.float32)
    wanted = np.eye(4, dtype=np.float32)[np.zeros(9, int)]
    rows = np.arange(9) >= 3

    softened = teacher.soften(wanted, looks, rows)

    read = network_answers(trained_network(len(LABELS), images[:6]), 255 - images)
    assert np.array_equal(softened[:3], wanted[:3])
    expected = (1 - TRUST) * wanted[3:] + TRUST * read[3:]
    np.testing.assert_allclose(softened[3:], expected, atol=2e-3)


def test_looks_of_another_size_are_read_at_the_size_of_the_bundle(
    data: Path, tmp_path: Path
) -> None:
    teacher = Teacher(bundle_of(tmp_path / "teacher", data), [1], LABELS)
    images = load(data, LABELS, 32, tmp_path / "cache").images
    wanted, every = np.zeros((9, 4), np.float32), np.ones(9, bool)

    large = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2).astype(np.float32)

    np.testing.assert_allclose(
        teacher.soften(wanted, large, every),
        teacher.soften(wanted, images.astype(np.float32), every),
        atol=0.02,
    )


def test_a_bundle_that_cannot_teach_says_why(data: Path, tmp_path: Path) -> None:
    other = bundle_of(tmp_path / "other", data, ("X", "O", "A", "isnull"))
    with pytest.raises(DataError, match="other labels"):
        Teacher(other, None, LABELS)
    with pytest.raises(DataError, match=r"members 1 to 1, not all of \[1, 2\]"):
        Teacher(bundle_of(tmp_path / "teacher", data), [1, 2], LABELS)
