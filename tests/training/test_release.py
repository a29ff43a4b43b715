"""From a trained member to a bundle that is served, by the command line's own steps."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model.bundle import Bundle
from model.ensemble import Ensemble
from model.training import ensemble, member, network
from model.training.dataset import read_labels
from model.training.errors import DataError, ExportError
from model.training.release import release
from model.training.trainer import Plan
from tests.training.world import tiny_network

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
    plan = Plan(((32, 2),), batch=8)
    member.train(data, labels, Path("none"), tmp_path / "run", cache, plan, held_out=0.25)
    ensemble.export([tmp_path / "run"], data, labels, tmp_path / "export", cache, "fp32")
    return tmp_path / "export"


def golden(folder: Path, source: Path, answer: str) -> Path:
    """One image, under the name that says what should be read in it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(next(source.iterdir()), folder / f"1_{answer}.jpg")
    return folder


def test_a_released_bundle_is_served_by_every_engine(
    export: Path, draw: Draw, labels_file: Path, tmp_path: Path
) -> None:
    labels, images, out = read_labels(labels_file), draw("compare", 6), tmp_path / "bundle"
    first = next(images.iterdir()).read_bytes()

    def attempt(answer: str) -> Bundle:
        folder = golden(tmp_path / answer, images, answer)
        return release(export, labels, folder, images, tmp_path / "cache", out, **NAMES)

    bundle = attempt("A")
    answer = _read(bundle, first)
    attempt(answer)

    for engine in ("openvino", "tensorflow"):
        assert Ensemble.load(out, engine, 1).read(first).answer == answer
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["engines"] == {"openvino": 1.0, "tensorflow": 1.0}
    assert manifest["golden"][0]["answer"] == answer
    assert manifest["accuracy"]["accuracy"]["tuning"]["images"] == 12


def _read(bundle: Bundle, image: bytes) -> str:
    from model.engines import engine

    networks = [
        engine("openvino").load(bundle.path(member.graph), 1) for member in bundle.manifest.members
    ]
    return Ensemble(bundle, networks).read(image).answer


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
