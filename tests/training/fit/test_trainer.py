from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from model.training.data.batches import Batches, Mix
from model.training.data.dataset import Dataset, load
from model.training.errors import CheckpointError
from model.training.fit import checkpoint
from model.training.fit.run import members
from model.training.fit.trainer import Plan, Round, Trainer
from tests.training.world import LABELS, tiny_network

Draw = Callable[[str, int], Path]
PLAN = Plan((Round(((32, 1),)), Round(((64, 1),))), batch=8, rate=0.01, warmup=2)


@pytest.fixture
def dataset(draw: Draw, tmp_path: Path) -> Dataset:
    return load(draw("images", 16), LABELS, 64, tmp_path / "cache")


def trainer() -> Trainer:
    keras.utils.set_random_seed(3)
    return Trainer(tiny_network(4), PLAN)


def run(dataset: Dataset, folder: Path, stop_after: int | None = None) -> Trainer:
    made = trainer()
    batches = Batches(dataset, np.arange(8), PLAN.batch, Mix(0.2, 0.2), 4, seed=1)
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
    for one, other in zip(whole.model.variables, parts.model.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
    for one, other in zip(whole.shadow.variables, parts.shadow.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


def test_shadow_follows_the_model(dataset: Dataset, tmp_path: Path) -> None:
    before = [weight.numpy() for weight in trainer().model.trainable_variables]
    made = run(dataset, tmp_path / "run", stop_after=1)

    for start, fast, slow in zip(
        before, made.model.trainable_variables, made.shadow.trainable_variables, strict=True
    ):
        assert np.abs(fast.numpy() - slow.numpy()).max() <= np.abs(fast.numpy() - start).max()
    assert any(
        not np.array_equal(start, slow.numpy())
        for start, slow in zip(before, made.shadow.trainable_variables, strict=True)
    )


def test_plan_warms_up_and_runs_out_in_every_round() -> None:
    plan = Plan((Round(((64, 2), (96, 1))), Round(((96, 2),))), warmup=10)

    assert [plan.size_at(epoch) for epoch in range(5)] == [64, 64, 96, 96, 96]
    assert plan.steps(100) == 500
    for first, last in ((0, 299), (300, 499)):
        assert plan.rate_at(first, 100) < plan.rate_at(first + 9, 100) > plan.rate_at(last, 100)
        assert plan.rate_at(last, 100) < plan.rate / 1000


def test_every_round_leaves_another_member(dataset: Dataset, tmp_path: Path) -> None:
    made = run(dataset, tmp_path / "run", stop_after=3)
    assert members(tmp_path / "run") == [1]
    made = run(dataset, tmp_path / "run")
    assert members(tmp_path / "run") == [1, 2]

    steps, kernels = zip(
        *(
            checkpoint.load(tmp_path / "run" / f"member-{number}.npz", shapes(made.shadow))
            for number in (1, 2)
        ),
        strict=True,
    )
    assert steps == (2, 4)
    assert any(not np.allclose(kernels[0][name], kernels[1][name]) for name in kernels[0])
    for name, weight in enumerate(made.shadow.weights):
        np.testing.assert_array_equal(kernels[1][str(name)], weight.numpy())


def shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    return {str(index): tuple(weight.shape) for index, weight in enumerate(model.weights)}


def test_a_training_without_a_member_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no member yet"):
        members(tmp_path)


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


# Two foreign characters: one is a black picture, the other a white one.
FOREIGN = np.stack([np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)])


def with_foreign(dataset: Dataset) -> Batches:
    """Half of every batch are the foreign characters."""
    names = ("0_木_isnull.jpg", "1_本_isnull.jpg")
    synthetic = Dataset(FOREIGN, np.array([3, 3], np.int32), names)
    return Batches(dataset, np.arange(8), 8, Mix(0, 0, 0.5), 4, 1, synthetic)


def test_a_head_for_foreign_characters_learns_beside_and_stays_behind(
    dataset: Dataset, tmp_path: Path
) -> None:
    batches = with_foreign(dataset)
    keras.utils.set_random_seed(3)
    plan = Plan((Round(((32, 15),)),), batch=8, rate=0.01, warmup=2)
    made = Trainer(tiny_network(4), plan, foreign=len(batches.foreign))
    alone = {each.path for each in made.model.variables}
    head = [each for each in made._pupil.variables if each.path not in alone]
    made.fit(batches, dataset, tmp_path / "run", lambda _: None)

    assert [each.shape[-1] for each in head] == [2, 2]
    _, told = made._pupil(FOREIGN.astype(np.float32), training=True)
    assert told.numpy().argmax(axis=1).tolist() == [0, 1]
    # What is kept is the network of a training without one.
    shapes = {str(i): tuple(each.shape) for i, each in enumerate(tiny_network(4).weights)}
    checkpoint.load(tmp_path / "run" / "member-1.npz", shapes)


def test_a_training_with_such_a_head_resumes(dataset: Dataset, tmp_path: Path) -> None:
    batches = with_foreign(dataset)

    def trained(folder: str, stops: tuple[int | None, ...]) -> Trainer:
        for stop in stops:
            keras.utils.set_random_seed(3)
            made = Trainer(tiny_network(4), PLAN, foreign=2)
            made.fit(batches, dataset, tmp_path / folder, lambda _: None, stop)
        return made

    whole, parts = trained("whole", (None,)), trained("parts", (1, None))
    for one, other in zip(whole._pupil.variables, parts._pupil.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
