from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.training.data.augmentation import augment, plain
from model.training.data.batches import Batches, Mix
from model.training.data.dataset import Dataset, load
from model.training.errors import DataError
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]


def test_a_batch_depends_on_its_number_alone(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 24), LABELS, 32, tmp_path / "cache")
    rows = np.arange(24)
    batches = Batches(dataset, rows, 8, Mix(0.25, 0.25), 4, seed=1)
    again = Batches(dataset, rows, 8, Mix(0.25, 0.25), 4, seed=1)

    one, other = batches.at(5), again.at(2)
    batches.at(0)

    assert np.array_equal(one.images, again.at(5).images)
    assert np.array_equal(one.wanted, again.at(5).wanted)
    assert not np.array_equal(one.images, other.images)
    assert one.wanted.sum(axis=0)[3] == 2


def test_an_epoch_shows_every_image_once_whatever_is_made(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 24), LABELS, 32, tmp_path / "cache")
    synthetic = Dataset(np.full((2, 32, 32, 3), 7, np.uint8), np.array([2, 3], np.int32), ("", ""))
    batches = Batches(dataset, np.arange(24), 8, Mix(0.25, 0.125, 0.125), 4, 1, synthetic)

    epoch = [batches.at(step) for step in range(6, 12)]

    assert batches.per_epoch == 6
    assert {len(batch.images) for batch in epoch} == {8}
    taken = [image for batch in epoch for image in batch.images[batch.taken]]
    assert sorted(image.tobytes() for image in taken) == sorted(
        image.tobytes() for image in dataset.images
    )


def test_what_is_softened_is_as_likely_as_the_label(draw: Draw, tmp_path: Path) -> None:
    dataset = load(draw("images", 8), LABELS, 32, tmp_path / "cache")
    mix = Mix(isnull=0.25, joined=0.25)
    row, label = 4, LABELS.index("O")
    assert dataset.targets[row] == label

    hard = Batches(dataset, np.arange(8), 8, mix, 4, 1)
    soft = Batches(dataset, np.arange(8), 8, mix, 4, 1, softened={row: 2})

    pairs = [(hard.at(step), soft.at(step)) for step in range(2)]
    changed = [
        (one.images[index], other.wanted[index], other.taken[index])
        for one, other in pairs
        for index in np.flatnonzero((one.wanted != other.wanted).any(axis=1))
    ]
    ((image, wanted, taken),) = changed
    assert np.array_equal(image, dataset.images[row])
    assert wanted.tolist() == [0, 0.5, 0.5, 0]
    assert taken


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
    synthetic = Dataset(blank, np.array([2, 3], np.int32), ("0_X.jpg", "1_木_isnull.jpg"))
    mix = Mix(isnull=0, joined=0, synthetic=0.5)

    batches = Batches(dataset, np.arange(8), 8, mix, 4, 1, synthetic)
    batch = batches.at(0)

    targets = batch.wanted.argmax(axis=1)
    assert batches.foreign == ("木",)
    assert batch.foreign.tolist() == [0 if target == 3 else -1 for target in targets]
    drawn = (batch.images == 7).all(axis=(1, 2, 3))
    assert drawn.sum() == 4
    assert set(targets[drawn]) == {2, 3}
    assert set(targets[~drawn]) <= {0, 1, 2}
