from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.training.augmentation import augment, plain
from model.training.batches import TRUST, Batches, Mix
from model.training.dataset import Dataset, load
from model.training.errors import DataError
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]


def test_a_batch_depends_on_its_number_alone(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 24), LABELS, 32, tmp_path / "cache")
    rows = np.arange(24)
    batches = Batches(dataset, rows, 8, Mix(0.25, 0.25), 4, seed=1)
    again = Batches(dataset, rows, 8, Mix(0.25, 0.25), 4, seed=1)

    images, wanted = batches.at(5)
    batches.at(0)

    assert np.array_equal(images, again.at(5)[0])
    assert np.array_equal(wanted, again.at(5)[1])
    assert not np.array_equal(images, again.at(2)[0])
    assert wanted.sum(axis=0)[3] == 2


def test_an_epoch_shows_every_image_once(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 24), LABELS, 32, tmp_path / "cache")
    batches = Batches(dataset, np.arange(24), 8, Mix(0, 0), 4, seed=1)

    shown = np.concatenate([batches.at(step)[0] for step in range(3, 6)])

    assert batches.per_epoch == 3
    assert sorted(image.tobytes() for image in shown) == sorted(
        image.tobytes() for image in dataset.images
    )


def test_too_few_images_are_refused(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 6), LABELS, 32, tmp_path / "cache")

    with pytest.raises(DataError, match="do not fill a batch"):
        Batches(dataset, np.arange(6), 8, Mix(), 4, seed=1)


def test_augmentation_repeats_with_its_seed_and_keeps_the_range() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), np.uint8)

    one = augment(tf.constant(images), 32, tf.constant([1, 2])).numpy()
    same = augment(tf.constant(images), 32, tf.constant([1, 2])).numpy()
    other = augment(tf.constant(images), 32, tf.constant([1, 3])).numpy()

    assert one.shape == (4, 32, 32, 3)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 255


def test_augmentation_moves_a_mark_little() -> None:
    images = np.full((64, 64, 64, 3), 255, np.uint8)
    images[:, 24:40, 24:40] = 0

    changed = augment(tf.constant(images), 64, tf.constant([1, 1])).numpy()

    middle, rim = changed[:, 29:35, 29:35].mean(), changed[:, :6].mean()
    assert middle < 110
    assert rim > 160


def test_plain_leaves_an_image_of_the_right_size_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)

    assert np.array_equal(plain(tf.constant(images), 32).numpy(), images.astype(np.float32))


def test_a_batch_has_its_share_of_synthetic_images(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 8), LABELS, 32, tmp_path / "cache")
    blank = np.full((2, 32, 32, 3), 7, np.uint8)
    synthetic = Dataset(blank, np.array([2, 3], np.int32), ("0_X.jpg", "1_isnull.jpg"))
    mix = Mix(isnull=0, joined=0, synthetic=0.5)

    images, wanted = Batches(dataset, np.arange(8), 8, mix, 4, 1, synthetic).at(0)

    targets = wanted.argmax(axis=1)
    drawn = (images == 7).all(axis=(1, 2, 3))
    assert drawn.sum() == 4
    assert set(targets[drawn]) == {2, 3}
    assert set(targets[~drawn]) <= {0, 1, 2}


def test_a_teacher_softens_the_labels_of_images_that_are_left_as_they_are(
    draw: Draw, tmp_path: Path
) -> None:
    dataset = load(draw("images", 8), LABELS, 32, tmp_path / "cache")
    opinions = np.tile(np.array([0, 0.5, 0.5, 0], np.float16), (8, 1))
    mix = Mix(isnull=0.25, joined=0.25)

    plain = Batches(dataset, np.arange(8), 8, mix, 4, 1).at(0)[1]
    taught = Batches(dataset, np.arange(8), 8, mix, 4, 1, taught=opinions).at(0)[1]

    assert np.array_equal(taught[:4], plain[:4])
    np.testing.assert_allclose(taught[4:], plain[4:] + TRUST * (opinions[4:] - plain[4:]))
