"""From trained members to a bundle that is served, by the command line's own steps."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from model.bundle import MANIFEST, Bundle
from model.engines import ENGINES
from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.training.data.dataset import load
from model.training.data.labels import read_characters
from model.training.errors import CheckpointError, DataError, ExportError
from model.training.export import export
from model.training.fit import network
from model.training.fit.run import Settings, append_history, begin, save_weights
from tests.training.world import LABELS, tiny_network

Draw = Callable[[str, int], Path]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "build", tiny_network)


class Workshop:
    """A training of two members that has learnt nothing, and its bundle."""

    def __init__(self, folder: Path, data: Path, labels_file: Path) -> None:
        self.folder, self.data, self.labels = folder, data, read_characters(labels_file)
        self.out, self.golden = folder / "out" / "bundle", folder / "golden"
        self.run(folder / "run", held_out=0.25)
        self.golden.mkdir()
        self.picture = sorted(data.iterdir())[0]

    def run(self, folder: Path, held_out: float) -> Path:
        dataset = load(self.data, self.labels, 32, self.folder / "cache")
        begin(folder, Settings.of(self.labels, dataset, 32, held_out, seed=1))
        keras.utils.set_random_seed(3)
        for number in (1, 2):
            save_weights(folder, number, tiny_network(len(LABELS)), step=7)
        append_history(folder, {"size": 32, "step": 7, "seconds": 36.0})
        return folder

    def expect(self, answer: str) -> None:
        """Make the golden image one with this answer."""
        for path in self.golden.iterdir():
            path.unlink()
        shutil.copy(self.picture, self.golden / f"1_{answer}.jpg")

    def export(self, **changes: Any) -> Bundle:
        facts = {"name": "tiny", "version": "1", "licence": "none", "storage": "fp32", **changes}
        runs = facts.pop("runs", [self.folder / "run"])
        return export(
            runs, self.data, self.labels, self.golden, self.out, self.folder / "cache", **facts
        )


@pytest.fixture
def workshop(draw: Draw, labels_file: Path, tmp_path: Path) -> Workshop:
    """With a golden image that is read right."""
    made = Workshop(tmp_path, draw("data", 48), labels_file)
    made.expect(LABELS[0])
    try:
        made.export()
    except BundleInvalid as error:  # it tells what is read
        made.expect(str(error).partition("reads '")[2].partition("'")[0])
        made.export()
    return made


def test_an_exported_bundle_is_served_by_every_engine(workshop: Workshop) -> None:
    answers = {
        Ensemble.load(workshop.out, name, 1).read(workshop.picture.read_bytes()).answer
        for name in ENGINES
    }

    manifest = json.loads((workshop.out / MANIFEST).read_text(encoding="utf-8"))
    assert answers == {manifest["golden"][0]["answer"]}
    assert len(manifest["members"]) == 2
    # Others are told where the CPU is made for them.
    assert manifest["engines"] | {"openvino-bf16": 1} == {
        "tensorflow": 1.0,
        "openvino": 1.0,
        "openvino-bf16": 1,
    }
    assert manifest["accuracy"]["tuning"]["images"] == 12
    assert manifest["calibration"]["exits"] == [None]
    provenance = manifest["provenance"]
    assert provenance["data"] | {"names_sha256": ""} == {
        "images": 48,
        "held_out": 0.25,
        "names_sha256": "",
    }
    assert provenance["training"] == [
        {"members": 2, "epochs": {"32 px": 1}, "steps": 7, "hours": 0.01}
    ]
    assert provenance["export"]["parity"]["ensemble"]["agreement"] == 1


def wrong_golden(workshop: Workshop) -> Any:
    right = next(workshop.golden.iterdir()).stem.rpartition("_")[2]
    workshop.expect(next(label for label in LABELS if label != right))
    return pytest.raises(BundleInvalid, match="the manifest says")


def no_golden(workshop: Workshop) -> Any:
    next(workshop.golden.iterdir()).unlink()
    return pytest.raises(DataError, match="no golden images")


def foreign_golden(workshop: Workshop) -> Any:
    workshop.expect("Q")
    return pytest.raises(DataError, match=r"not among the labels: Q")


def corrupt_checkpoint(workshop: Workshop) -> Any:
    (workshop.folder / "run" / "member-2.npz").write_bytes(b"not an archive" * 50)
    return pytest.raises(CheckpointError, match="member-2")


@pytest.mark.parametrize("fault", [wrong_golden, no_golden, foreign_golden, corrupt_checkpoint])
def test_a_failure_leaves_the_old_bundle(
    fault: Callable[[Workshop], Any], workshop: Workshop
) -> None:
    with fault(workshop):
        workshop.export(version="2")

    assert Bundle.open(workshop.out).id == "tiny/1"
    assert [path.name for path in workshop.out.parent.iterdir()] == ["bundle"]


def test_a_full_disk_leaves_the_old_bundle(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("model.packing.shutil.copyfile", full)

    with pytest.raises(ExportError, match="No space left"):
        workshop.export(version="2")

    assert Bundle.open(workshop.out).id == "tiny/1"


def test_members_that_disagree_with_their_networks_are_not_exported(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.frozen.parity.LEAST_AGREEMENT", 1.1)

    with pytest.raises(ExportError, match=r"member 1 answers as its network on only 100\.00%"):
        workshop.export()


def test_engines_that_disagree_export_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.frozen.release.LEAST_AGREEMENT", 1.1)

    with pytest.raises(ExportError, match="openvino answers as tensorflow on only"):
        workshop.export()


def test_a_folder_that_is_no_bundle_is_not_replaced(workshop: Workshop) -> None:
    shutil.rmtree(workshop.out)
    workshop.out.mkdir()
    (workshop.out / "thesis.txt").write_text("all of it", encoding="utf-8")

    with pytest.raises(DataError, match="is no bundle"):
        workshop.export()

    assert (workshop.out / "thesis.txt").exists()


def test_a_name_that_no_bundle_can_have_is_told(workshop: Workshop) -> None:
    with pytest.raises(DataError, match="name: String should match"):
        workshop.export(name="Über")


def test_runs_that_do_not_belong_together_are_refused(workshop: Workshop) -> None:
    other = workshop.run(workshop.folder / "other", held_out=0.5)

    with pytest.raises(DataError, match="the runs differ"):
        workshop.export(runs=[workshop.folder / "run", other])
