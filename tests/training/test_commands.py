import argparse
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from model.training import network
from model.training.commands import add_commands
from model.training.errors import CheckpointError, DataError
from tests.training.world import tiny_network

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


def test_train_then_export_makes_proven_members_and_a_report(
    draw: Draw, labels_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run, out = draw("data", 48), tmp_path / "run", tmp_path / "out"
    common = ("--data", data, "--labels", labels_file, "--cache", tmp_path / "cache")

    call(
        "train", *common, "--weights", "none", "--out", run,
        "--members", 2, "--phases", "32x2", "--batch", 8, "--held-out", 0.25,
    )  # fmt: skip
    call(
        "export", *common, "--run", run, "--out", out, "--storage", "fp32",
        "--val", draw("val", 6), "--negatives", draw("negatives", 3),
    )  # fmt: skip

    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert "tuning accuracy" in capsys.readouterr().out
    assert report["accuracy"]["val"]["images"] == 6
    assert report["accuracy"]["tuning"]["images"] == 12
    assert report["isnull"]["negatives"] == 3
    assert report["provenance"]["members"][0]["input_sizes"] == [32, 32]
    assert report["members"][0]["parity"]["agreement"] == 1
    assert report["members"][0]["bytes"] == (out / "members" / "1.pb").stat().st_size


def test_a_folder_of_another_training_is_refused(
    draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    common = ("--labels", labels_file, "--weights", "none", "--out", tmp_path / "run")
    small = ("--phases", "32x1", "--batch", 8, "--held-out", 0.25)
    call("train", "--data", draw("data", 24), *common, *small)

    with pytest.raises(DataError, match="another"):
        call("train", "--data", draw("other", 27), *common, *small)


def test_export_of_no_training_is_refused(draw: Draw, labels_file: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no training"):
        call(
            "export", "--run", tmp_path, "--data", draw("data", 3), "--labels", labels_file,
            "--out", tmp_path / "out",
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("phases", ["64", "64x0", "ax2", ""])
def test_bad_phases_are_refused_by_the_parser(phases: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        call(
            "train", "--data", tmp_path, "--labels", tmp_path, "--weights", tmp_path,
            "--out", tmp_path, "--phases", phases,
        )  # fmt: skip


def test_odd_sizes_are_refused(draw: Draw, labels_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="multiple of 32"):
        call(
            "train", "--data", draw("data", 3), "--labels", labels_file, "--weights", "none",
            "--out", tmp_path / "run", "--phases", "80x1",
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
