"""Which cheaper forms of its first member a bundle may answer with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle import Bundle
from model.engines import ENGINES
from model.errors import EngineUnavailable
from model.training import express as module
from model.training.calibrate import recalibrate
from model.training.errors import DataError
from model.training.express import Form, express
from model.training.judge.predictions import Predictions, predict
from tests.training.test_calibrate import bundle, data

__all__ = ["bundle", "data"]

BF16 = "openvino-bf16"
Predict = Callable[..., Predictions]


def mistaken(every: int) -> Predict:
    """The reduced engine answers one in so many otherwise, in half the time."""

    def found(graphs: Any, engine: str, images: Any, classes: int) -> Predictions:
        probabilities, took_ms = predict(graphs, ENGINES[0], images, classes).probabilities, 2
        if engine == BF16:
            probabilities[:, ::every] = np.roll(probabilities[:, ::every], 1, axis=2)
            took_ms = 1
        return Predictions(probabilities, np.full(probabilities.shape[:2], took_ms, np.float32))

    return found


def made(folder: Path, data: Path, tmp_path: Path, most_lost: float = 0.5) -> Any:
    return express(
        *(folder, data, tmp_path / "cache", tmp_path / "out"), version="2", most_lost=most_lost
    )


def test_a_form_that_loses_little_may_answer(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "predict", mistaken(every=30))
    before = Bundle.open(bundle).manifest
    written, (form,) = made(bundle, data, tmp_path)
    assert form.took == 0.5
    assert form.agreement == pytest.approx(0.9, abs=0.07)
    (told,) = written.manifest.express
    assert (told.engine, told.agreement, told.lost) == (BF16, form.agreement, form.lost)
    assert written.id == f"{before.name}/2"
    assert written.manifest.calibration == before.calibration
    assert [member.graph for member in written.manifest.members] == [
        member.graph for member in before.members
    ]


@pytest.mark.parametrize(
    ("agreement", "lost", "good"),
    [(0.99, 0.005, True), (0.99, -0.01, True), (0.99, 0.006, False), (0.89, 0, False)],
)
def test_one_that_loses_more_or_often_answers_otherwise_may_not(
    agreement: float, lost: float, good: bool
) -> None:
    assert Form(BF16, agreement, lost, took=0.5).loses_at_most(0.005) is good


def test_without_one_that_may_no_bundle_is_written(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "predict", mistaken(every=3))
    with pytest.raises(DataError, match=r"no form is good enough.*agreement"):
        made(bundle, data, tmp_path)
    assert not (tmp_path / "out").exists()


def test_on_a_cpu_that_is_made_for_none_that_is_said(
    bundle: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def not_here(graphs: Any, engine: str, images: Any, classes: int) -> Predictions:
        if engine == BF16:
            raise EngineUnavailable("not made for it")
        return predict(graphs, engine, images, classes)

    monkeypatch.setattr(module, "predict", not_here)
    with pytest.raises(DataError, match="none runs on this CPU"):
        made(bundle, data, tmp_path)
    assert f"{BF16} is left out: not made for it" in capsys.readouterr().out


def test_a_bundle_whose_first_member_may_be_another_has_none(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "predict", mistaken(every=30))
    written, _ = made(bundle, data, tmp_path)
    again = recalibrate(written.folder, data, tmp_path / "cache", tmp_path / "again", "3")
    assert again.manifest.express == ()
