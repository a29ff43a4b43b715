"""Trainings that follow one another, and what is seen of them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.data.dataset import load, split
from model.training.errors import DataError
from model.training.fit import network, run
from model.training.fit.progress import CURVES
from model.training.fit.teacher import Teacher
from model.training.fit.trainer import Plan, Round
from model.training.train import train
from tests.training.fit.test_teacher import bundle_of
from tests.training.world import LABELS, tiny_network

Draw = Callable[[str, int], Path]
PLAN = Plan((Round(((32, 1),)),), batch=8, warmup=2)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)
    monkeypatch.setattr(network, "load_backbone", lambda *_: None)


@pytest.fixture
def data(draw: Draw) -> Path:
    return draw("data", 48)


def go(data: Path, out: Path, plan: Plan = PLAN, **options: object) -> None:
    cache = data.parent / "cache"
    train(data, LABELS, Path("none"), out, cache, plan, held_out=0.25, **options)


def kernels(folder: Path, member: int) -> list[np.ndarray]:
    """Of a member, from the first layer to the last."""
    trained = run.load_network(folder, member, run.read_settings(folder), LABELS)
    return [weight for weight in trained.get_weights() if weight.ndim > 1]


def test_every_epoch_is_told_and_drawn(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go(data, tmp_path / "run", Plan((Round(((32, 1), (64, 1))),), batch=8, warmup=2))

    printed = capsys.readouterr().out
    assert "32 px" in printed
    assert "64 px" in printed
    assert printed.count("tuning accuracy") == 2
    with Image.open(tmp_path / "run" / CURVES) as picture:
        assert picture.size == (768, 768)


def test_a_training_starts_where_an_earlier_one_ended(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path / "first", dataclasses.replace(PLAN, rounds=PLAN.rounds * 2))
    still = dataclasses.replace(PLAN, rate=0.0, decay=0.0, average=0.0, seed=2)
    go(data, tmp_path / "second", still, after=tmp_path / "first")

    begun, ended = kernels(tmp_path / "second", 1), kernels(tmp_path / "first", 2)
    assert all(np.array_equal(*pair) for pair in zip(begun, ended, strict=True))


def test_synthetic_images_are_learnt_too(data: Path, draw: Draw, tmp_path: Path) -> None:
    go(data, tmp_path / "plain")
    go(data, tmp_path / "mixed", synthetic=draw("synthetic", 6))

    pair = kernels(tmp_path / "plain", 1), kernels(tmp_path / "mixed", 1)
    assert not all(np.array_equal(one, other) for one, other in zip(*pair, strict=True))


def test_a_teacher_is_listened_to(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path / "plain")
    teacher = Teacher(bundle_of(tmp_path / "teacher", data), None, LABELS)
    go(data, tmp_path / "taught", teacher=teacher)

    pair = kernels(tmp_path / "plain", 1), kernels(tmp_path / "taught", 1)
    assert not all(np.array_equal(one, other) for one, other in zip(*pair, strict=True))


def test_doubted_labels_are_left_out_and_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = dataclasses.replace(PLAN, batch=4)
    doubted = tmp_path / "doubts.csv"
    dataset = load(data, LABELS, 96, data.parent / "cache")
    first, second, *_ = (dataset.names[row] for row in split(dataset.targets, 0.25)[0])
    doubted.write_text(f"name,read,verdict\n{first},O,out\n{second},X,half\n", encoding="utf-8")

    go(data, tmp_path / "plain", plan)
    go(data, tmp_path / "clean", plan, doubted=doubted)

    assert "1 of 36 labels are left out, 1 softened" in capsys.readouterr().out
    pair = kernels(tmp_path / "plain", 1), kernels(tmp_path / "clean", 1)
    assert not all(np.array_equal(one, other) for one, other in zip(*pair, strict=True))


def test_another_training_in_the_folder_is_refused(data: Path, tmp_path: Path) -> None:
    go(data, tmp_path / "run")
    with pytest.raises(DataError, match="holds a training with other"):
        go(data, tmp_path / "run", dataclasses.replace(PLAN, seed=2))
