"""The mean of members' weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.training.average import average
from model.training.errors import CheckpointError, DataError
from model.training.fit import checkpoint, run
from model.training.fit.run import Settings

Train = Callable[..., Path]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Leaves a training with one member of one weight."""

    def leave(name: str, weight: float, step: int, held_out: float = 0.1) -> Path:
        folder = tmp_path / name
        run.begin(folder, Settings("labels", "data", 32, held_out, seed=step))
        run.append_history(folder, {"step": step, "size": 32, "seconds": 3.6})
        path = folder / "member-1.npz"
        checkpoint.save(path, step, {"0": np.full((2, 3), weight, np.float32)})
        return path

    return leave


def test_the_mean_is_a_training_with_one_member(train: Train, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    average([train("a", 1.0, 10), train("b", 4.0, 20)], [1, 2], out)

    assert run.members(out) == [1]
    assert run.read_settings(out).held_out == 0.1
    assert [line["step"] for line in run.read_history(out)] == [10, 30]
    step, arrays = checkpoint.load(out / "member-1.npz", {"0": (2, 3)})
    assert step == 20
    assert arrays["0"].dtype == np.float32
    assert np.allclose(arrays["0"], 3.0)


@pytest.mark.parametrize("shares", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_shares_that_make_no_mean_are_refused(
    train: Train, tmp_path: Path, shares: list[float]
) -> None:
    with pytest.raises(DataError, match="shares"):
        average([train("a", 1.0, 10), train("b", 4.0, 20)], shares, tmp_path / "mean")


def test_other_data_and_other_shapes_are_refused(train: Train, tmp_path: Path) -> None:
    first, other = train("a", 1.0, 10), train("b", 1.0, 20, held_out=0.2)
    with pytest.raises(DataError, match="differ"):
        average([first, other], [1, 1], tmp_path / "mean")
    checkpoint.save(first.with_name("member-2.npz"), 1, {"0": np.zeros((3, 3), np.float32)})
    with pytest.raises(CheckpointError, match="another network"):
        average([first, first.with_name("member-2.npz")], [1, 1], tmp_path / "mean")
    with pytest.raises(CheckpointError, match="cannot read"):
        average([tmp_path / "a" / "member-9.npz", first], [1, 1], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_another_training_is_not_overwritten(train: Train) -> None:
    first, other = train("a", 1.0, 10), train("b", 4.0, 20)
    before = other.read_bytes()

    with pytest.raises(DataError, match="exists"):
        average([first], [1], other.parent)

    assert other.read_bytes() == before
