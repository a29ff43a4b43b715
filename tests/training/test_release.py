"""From a trained member to a bundle that is served, by the command line's own steps."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.engines import ENGINES, engine
from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.image import decode
from model.training import ensemble, network
from model.training.dataset import ISNULL, read_labels
from model.training.errors import DataError, ExportError
from model.training.evaluation import read
from model.training.release import release
from model.training.train import train
from model.training.trainer import Plan
from tests.training.world import LABELS, tiny_network

Draw = Callable[[str, int], Path]
NAMES = {"name": "tiny", "version": "1", "licence": "none"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)
    monkeypatch.setattr(network, "load_backbone", lambda *_: None)


@pytest.fixture
def export(draw: Draw, labels_file: Path, tmp_path: Path) -> Path:
    """A member of two epochs, exported."""
    data, labels, cache = draw("data", 48), read_labels(labels_file), tmp_path / "cache"
    plan = Plan(((32, 2),), members=1, batch=8)
    train(data, labels, Path("none"), tmp_path / "run", cache, plan, held_out=0.25)
    ensemble.export([tmp_path / "run"], data, labels, tmp_path / "export", cache, "fp32")
    return tmp_path / "export"


def golden(folder: Path, source: Path, answer: str) -> Path:
    """One image, under the name that says what should be read in it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(next(source.iterdir()), folder / f"1_{answer}.jpg")
    return folder


def reading(export: Path, image: bytes) -> str:
    """What the exported ensemble answers."""
    report = json.loads((export / "report.json").read_text(encoding="utf-8"))
    network = engine("tensorflow").load(export / "members" / "1.pb", 1)
    probabilities = network(decode(image, 32, 32).astype(np.float32))
    rule = {key: report["isnull"][key] for key in ("threshold", "least")}
    index = read(probabilities[None], LABELS.index(ISNULL), **rule).answers
    return LABELS[int(index[0])]


def test_a_released_bundle_is_served_by_every_engine(
    export: Path, draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    images, out = draw("compare", 6), tmp_path / "bundle"
    image = next(images.iterdir()).read_bytes()
    answer = reading(export, image)

    release(
        export, read_labels(labels_file), golden(tmp_path / "g", images, answer), images,
        tmp_path / "cache", out, **NAMES,
    )  # fmt: skip

    for name in ENGINES:
        assert Ensemble.load(out, name, 1).read(image).answer == answer
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["engines"] == {"openvino": 1.0, "tensorflow": 1.0}
    assert manifest["golden"][0]["answer"] == answer
    assert manifest["accuracy"]["accuracy"]["tuning"]["images"] == 12


def test_a_golden_image_that_is_misread_releases_nothing(
    export: Path, draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    images = draw("compare", 6)
    answer = reading(export, next(images.iterdir()).read_bytes())
    wrong = next(label for label in LABELS if label != answer)

    with pytest.raises(BundleInvalid, match="the manifest says"):
        release(
            export, read_labels(labels_file), golden(tmp_path / "g", images, wrong), images,
            tmp_path / "cache", tmp_path / "bundle", **NAMES,
        )  # fmt: skip

    assert not (tmp_path / "bundle").exists()


def test_a_folder_without_an_export_is_refused(
    draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="holds no export"):
        release(
            tmp_path, read_labels(labels_file), tmp_path, draw("compare", 3), tmp_path,
            tmp_path / "bundle", **NAMES,
        )  # fmt: skip


def test_engines_that_disagree_release_nothing(
    export: Path,
    draw: Draw,
    labels_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = draw("compare", 6)
    monkeypatch.setattr("model.training.release.LEAST_AGREEMENT", 1.1)

    with pytest.raises(ExportError, match="answers as tensorflow on only"):
        release(
            export, read_labels(labels_file), golden(tmp_path / "g", images, "A"), images,
            tmp_path / "cache", tmp_path / "bundle", **NAMES,
        )  # fmt: skip

    assert not (tmp_path / "bundle").exists()
