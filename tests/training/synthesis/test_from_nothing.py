"""Without data and without network: drawn images, an ensemble trained on them, a served bundle."""

import argparse
import shutil
from pathlib import Path

import pytest

from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.training.commands import add_commands
from model.training.errors import DataError
from model.training.fit import network
from tests.training.world import LABELS, tiny_network


def call(*words: object) -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(required=True))
    arguments = parser.parse_args([str(word) for word in words])
    arguments.run(arguments)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)
    monkeypatch.setattr(network, "load_backbone", lambda *_: None)


@pytest.mark.usefixtures("tiny")
def test_drawn_images_train_an_ensemble_that_is_served(
    shapes: Path, labels_file: Path, tmp_path: Path
) -> None:
    data, run, bundle = (tmp_path / name for name in ("data.tar", "run", "bundle"))
    common = ("--data", data, "--cache", tmp_path / "cache")
    call(
        "synthesise", "--labels", labels_file, "--fonts", shapes, "--out", data, "--count", 120,
        "--isnull-share", 0.25, "--processes", 1,
    )  # fmt: skip
    call(
        "train", *common, "--labels", labels_file, "--weights", "none", "--out", run,
        "--rounds", "32x1,32x1", "--batch", 16, "--held-out", 0.25,
    )  # fmt: skip
    export(common, labels_file, run, bundle, picture(shapes, labels_file, tmp_path))
    call("calibrate", "--bundle", bundle, *common, "--version", "2")

    served = Ensemble.load(bundle, "openvino", 1)
    assert served.bundle.id == "tiny/2"
    assert served.bundle.manifest.labels == LABELS
    assert served.read(picture(shapes, labels_file, tmp_path).read_bytes()).answer in LABELS


def picture(shapes: Path, labels_file: Path, folder: Path) -> Path:
    """The one image of another stream."""
    out = folder / "other"
    if not out.exists():
        call(
            "synthesise", "--labels", labels_file, "--fonts", shapes, "--out", out, "--count", 1,
            "--seed", 2,
        )  # fmt: skip
    return next(out.iterdir())


def export(
    common: tuple[object, ...], labels_file: Path, run: Path, bundle: Path, image: Path
) -> None:
    """Export with a golden image; what two epochs have taught to read in it has to be tried."""
    golden = run / "golden"
    for answer in LABELS:
        shutil.rmtree(golden, ignore_errors=True)
        golden.mkdir()
        shutil.copy(image, golden / f"1_{answer}.jpg")
        try:
            call(
                "export", "--run", run, *common, "--labels", labels_file, "--golden", golden,
                "--out", bundle, "--name", "tiny", "--version", "1", "--licence", "none",
                "--storage", "fp32",
            )  # fmt: skip
        except BundleInvalid:
            continue
        return
    raise AssertionError("no answer is right")


def test_a_contact_sheet_alone_can_be_had(shapes: Path, labels_file: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    call("synthesise", "--labels", labels_file, "--fonts", shapes, "--contact-sheet", sheet)
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_what_is_missing_is_told(shapes: Path, labels_file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to write"):
        call("synthesise", "--labels", labels_file, "--fonts", shapes)
    with pytest.raises(DataError, match="no fonts"):
        call(
            "synthesise", "--labels", labels_file, "--fonts", tmp_path / "none",
            "--out", tmp_path / "out",
        )  # fmt: skip


@pytest.mark.parametrize("bad", [("--count", "0"), ("--isnull-share", "1.5"), ("--processes", "x")])
def test_numbers_out_of_range_are_refused(bad: tuple[str, str], labels_file: Path) -> None:
    with pytest.raises(SystemExit):
        call("synthesise", "--labels", labels_file, *bad)
