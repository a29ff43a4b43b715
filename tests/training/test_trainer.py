from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.training import checkpoint
from model.training.augmentation import plain
from model.training.batches import Batches, Mix
from model.training.dataset import Dataset, load
from model.training.errors import CheckpointError
from model.training.siblings import Siblings
from model.training.trainer import Plan, Trainer
from tests.training.world import LABELS, tiny_network

Draw = Callable[[str, int], Path]
PLAN = Plan(((32, 1), (64, 1)), members=2, batch=8, rate=0.01, warmup=2)


@pytest.fixture
def dataset(draw: Draw, tmp_path: Path) -> Dataset:
    return load(draw("images", 16), LABELS, 64, tmp_path / "cache")


def trainer() -> Trainer:
    keras.utils.set_random_seed(3)
    return Trainer(Siblings([tiny_network(4) for _ in range(PLAN.members)]), PLAN, 4)


def run(dataset: Dataset, folder: Path, stop_after: int | None = None) -> Trainer:
    made = trainer()
    batches = Batches(
        dataset, np.arange(16), PLAN.batch, Mix(0.2, 0.2), 3, seed=1, folds=PLAN.members
    )
    made.fit(batches, dataset, folder, lambda _: None, stop_after)
    return made


def test_a_resumed_training_ends_as_one_that_never_stopped(
    dataset: Dataset, tmp_path: Path
) -> None:
    whole = run(dataset, tmp_path / "whole")
    run(dataset, tmp_path / "parts", stop_after=1)
    run(dataset, tmp_path / "parts", stop_after=3)
    parts = run(dataset, tmp_path / "parts")

    assert whole.step == parts.step == 4
    for one, other in zip(whole.siblings.variables, parts.siblings.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
    for one, other in zip(whole.shadow.variables, parts.shadow.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


def test_shadow_follows_the_model(dataset: Dataset, tmp_path: Path) -> None:
    before = [weight.numpy() for weight in trainer().siblings.trainable_variables]
    made = run(dataset, tmp_path / "run", stop_after=1)

    for start, fast, slow in zip(
        before, made.siblings.trainable_variables, made.shadow.trainable_variables, strict=True
    ):
        assert np.abs(fast.numpy() - slow.numpy()).max() <= np.abs(fast.numpy() - start).max()
    assert any(
        not np.array_equal(start, slow.numpy())
        for start, slow in zip(before, made.shadow.trainable_variables, strict=True)
    )


def test_plan_warms_up_and_runs_out() -> None:
    plan = Plan(((64, 2), (96, 1)), warmup=10)

    assert [plan.size_at(epoch) for epoch in range(3)] == [64, 64, 96]
    assert plan.steps(100) == 300
    assert plan.rate_at(0, 100) < plan.rate_at(9, 100) > plan.rate_at(299, 100)
    assert plan.rate_at(299, 100) < plan.rate / 1000


def test_corrupt_checkpoint_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.npz"
    trainer().save(state)
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 0xFF
    state.write_bytes(content)

    with pytest.raises(CheckpointError, match="cannot read"):
        trainer().restore(state)


def test_missing_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "state.npz", 1, {"model/0": np.zeros(3)})

    with pytest.raises(CheckpointError, match="cannot read"):
        trainer().restore(tmp_path / "nowhere.npz")
    with pytest.raises(CheckpointError, match="another network"):
        trainer().restore(tmp_path / "state.npz")


def test_failed_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.npz"
    checkpoint.save(path, 1, {"a": np.ones(3)})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(CheckpointError, match="No space left"):
        checkpoint.save(path, 2, {"a": np.zeros(3)})
    step, arrays = checkpoint.load(path, {"a": (3,)})

    assert step == 1
    assert arrays["a"].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_each_member_comes_out_whole_and_learns_all_but_its_fold(
    dataset: Dataset, tmp_path: Path
) -> None:
    made = run(dataset, tmp_path / "run")
    answers = made.predict(dataset.images, 64)

    for number, member in enumerate(made.shadow.members()):
        alone = keras.ops.softmax(member(plain(dataset.images, 64), training=False))
        np.testing.assert_allclose(answers[number], alone, rtol=1e-4, atol=1e-5)
    assert not np.allclose(answers[0], answers[1], atol=1e-3)
    written = [(tmp_path / "run" / f"member-{number}.npz").exists() for number in (1, 2, 3)]
    assert written == [True, True, False]


def test_a_member_does_not_learn_its_own_fold(dataset: Dataset) -> None:
    """Two trainings whose labels differ in fold 0 alone: only the other member can tell."""
    folds, seed = np.array([0, 1] * 4, np.int32), tf.constant([1, 1], tf.int32)
    images = tf.constant(dataset.images[:8])
    learnt = []
    for label in (0, 1):
        made = trainer()
        targets = np.where(folds == 0, label, 2).astype(np.int32)
        made._train(images, targets, folds, seed, 32)
        learnt.append([branch.get_weights() for branch in made.siblings.branches])

    same = [
        all(np.array_equal(one, other) for one, other in zip(*branches, strict=True))
        for branches in zip(*learnt, strict=True)
    ]
    assert same == [True, False]
