import argparse
import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from model.bundle import Bundle
from model.errors import BundleInvalid
from model.training.commands import add_commands
from model.training.errors import CheckpointError, DataError
from model.training.fit import network
from tests.training.world import LABELS, tiny_network

BUILD, LOAD_BACKBONE = network.build, network.load_backbone
Draw = Callable[[str, int], Path]


def call(*words: object) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(required=True))
    arguments = parser.parse_args([str(word) for word in words])
    arguments.run(arguments)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)
    monkeypatch.setattr(network, "load_backbone", lambda *_: None)


def test_from_training_to_a_bundle_that_is_calibrated_and_measured(
    draw: Draw, labels_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run, bundle = draw("data", 84), tmp_path / "run", tmp_path / "bundle"
    cache = ("--cache", tmp_path / "cache")
    common = ("--data", data, "--labels", labels_file, *cache)
    (golden := tmp_path / "golden").mkdir()

    call(
        "train", *common, "--weights", "none", "--out", run,
        "--rounds", "32x1,32x1", "--batch", 16, "--held-out", 0.3,
    )  # fmt: skip
    for answer in LABELS:
        shutil.copy(data / "0_A.jpg", golden / f"1_{answer}.jpg")
        with contextlib.suppress(BundleInvalid):
            call(
                "export", *common, "--run", run, "--golden", golden, "--out", bundle,
                "--name", "tiny", "--version", 1, "--licence", "none",
            )  # fmt: skip
        (golden / f"1_{answer}.jpg").unlink()
    call("calibrate", "--bundle", bundle, "--data", data, "--version", 2, *cache)
    call(
        "evaluate", "--bundle", bundle, "--data", draw("val", 9), *cache,
        "--negatives", draw("negatives", 3), "--out", tmp_path / "report",
    )  # fmt: skip

    told = capsys.readouterr().out
    assert "tuning accuracy" in told
    assert f"tiny/1 is in {bundle}" in told
    assert f"tiny/2 is in {bundle}" in told
    report = json.loads((tmp_path / "report" / "evaluation.json").read_text(encoding="utf-8"))
    assert (report["bundle"], report["images"]) == ("tiny/2", 9)
    assert report["isnull"]["images"] == 3
    assert "| macro-F1 |" in told


def test_a_model_of_ones_own_is_imported(
    draw: Draw, labels_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_network(len(LABELS), 32).export(tmp_path / "saved", verbose=False)

    call(
        "import", "--model", tmp_path / "saved", "--model", tmp_path / "saved",
        "--labels", labels_file, "--images", draw("images", 6), "--output", "logits",
        "--out", tmp_path / "bundle", "--name", "own", "--version", 1, "--licence", "mine",
    )  # fmt: skip

    assert len(Bundle.open(tmp_path / "bundle").manifest.members) == 2
    assert "own/1 is in" in capsys.readouterr().out


def test_a_folder_of_another_training_is_refused(
    draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    common = ("--labels", labels_file, "--weights", "none", "--out", tmp_path / "run")
    small = ("--rounds", "32x1", "--batch", 8, "--held-out", 0.25)
    call("train", "--data", draw("data", 24), *common, *small)

    with pytest.raises(DataError, match="another"):
        call("train", "--data", draw("other", 27), *common, *small)


def test_export_of_no_training_is_refused(draw: Draw, labels_file: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no training"):
        call(
            "export", "--run", tmp_path, "--data", draw("data", 3), "--labels", labels_file,
            "--golden", tmp_path, "--out", tmp_path / "out",
            "--name", "tiny", "--version", 1, "--licence", "none",
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("calibrate", "--version", 2), ("evaluate", "--out", "report")])
def test_a_folder_that_is_no_bundle_is_refused(words: tuple[object, ...], tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="manifest"):
        call(*words, "--bundle", tmp_path, "--data", tmp_path)


@pytest.mark.parametrize("rounds", ["64", "64x0", "ax2", "", "64x1,", "64x1,96x1"])
def test_bad_rounds_are_refused_by_the_parser(rounds: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        call(
            "train", "--data", tmp_path, "--labels", tmp_path, "--weights", tmp_path,
            "--out", tmp_path, "--rounds", rounds,
        )  # fmt: skip


def test_odd_sizes_are_refused(draw: Draw, labels_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="multiple of 32"):
        call(
            "train", "--data", draw("data", 3), "--labels", labels_file, "--weights", "none",
            "--out", tmp_path / "run", "--rounds", "80x1",
        )  # fmt: skip


def test_a_corrupt_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.weights.h5"
    path.write_bytes(b"not HDF5" * 100)

    with pytest.raises(CheckpointError, match=r"some\.weights\.h5"):
        LOAD_BACKBONE(tiny_network(4), path)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_backbone_weights_arrive_whatever_the_layers_are_called(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    backbone = keras.applications.EfficientNetB0(include_top=False, weights=None)
    path = tmp_path / "some.weights.h5"
    backbone.save_weights(path)
    model = BUILD(4, 32)
    LOAD_BACKBONE(model, path)

    wanted = backbone.get_layer("block4a_expand_conv").get_weights()[0]
    assert np.array_equal(model.get_layer("block4a_expand_conv").get_weights()[0], wanted)
