"""The real command line in a process of its own: what it says is all that is seen."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from tests.training.world import LABELS

Draw = Callable[[str, int], Path]
Done = subprocess.CompletedProcess[str]


def command(*words: object, options: tuple[str, ...] = ()) -> Done:
    line = [sys.executable, *options, "-m", "model", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [(), ("train",), ("import",), ("finetune",)])
def test_help_waits_for_no_framework(words: tuple[str, ...]) -> None:
    done = command(*words, "--help", options=("-X", "importtime"))

    assert done.stdout.startswith("usage: python -m model")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "model.training.commands" in imported
    assert not imported & {"keras", "tensorflow", "openvino", "matplotlib"}


@pytest.mark.filterwarnings("ignore:.*HDF5.*", "ignore:__array__:DeprecationWarning")
def test_nothing_but_the_commands_own_words_is_said(
    draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    images, bundle, report = draw("images", 6), tmp_path / "bundle", tmp_path / "report"
    layers = keras.layers
    image = keras.Input((32, 32, 3))
    flat = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3)(image))
    model = keras.Model(image, layers.Dense(len(LABELS), activation="softmax")(flat))
    model.compile(loss="mse")
    model.save(tmp_path / "m.h5")
    (tmp_path / "wrong.onnx").write_bytes(b"onnx")
    into = (
        "--labels", labels_file, "--images", images, "--out", bundle,
        "--name", "own", "--version", 1, "--licence", "mine",
    )  # fmt: skip

    made = command("import", "--model", tmp_path / "m.h5", *into)
    refused = command("import", "--model", tmp_path / "wrong.onnx", *into)
    measured = command("evaluate", "--bundle", bundle, "--data", images, "--out", report)
    thawed = command("finetune", "--bundle", bundle, "--data", images, "--out", tmp_path / "tuned")

    assert (made.returncode, made.stdout, made.stderr) == (0, f"own/1 is in {bundle}\n", "")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"{tmp_path / 'wrong.onnx'} cannot be read as ONNX: ")
    assert len(refused.stderr.splitlines()) == 1
    assert measured.returncode == 0
    assert all(line.startswith("|") for line in measured.stdout.splitlines() if line)
    assert measured.stderr == ""
    assert (thawed.returncode, thawed.stdout) == (1, "")
    assert thawed.stderr.startswith(f"{images}: of 6 images 1 would be held out")
    assert len(thawed.stderr.splitlines()) == 1
