"""Packing: a whole bundle or none, and what stood there before is replaced or kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from model.bundle import Bundle
from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.packing import pack
from tests.model.graphs import FACTS


def pack_version(destination: Path, materials: Path, version: str, **facts: Any) -> Bundle:
    return pack(
        destination,
        [materials / "first.pb"],
        {materials / "red.png": "紅"},
        {**FACTS, "version": version, **facts},
    )


def test_a_packed_bundle_loads(materials: Path, tmp_path: Path) -> None:
    packed = pack_version(tmp_path / "new" / "tiny", materials, "1")

    assert packed == Bundle.open(tmp_path / "new" / "tiny")
    assert Ensemble.load(packed.folder, "openvino", 1).size == 1
    assert [path.name for path in packed.folder.parent.iterdir()] == ["tiny"]


def test_packing_twice_gives_the_same_bytes(materials: Path, tmp_path: Path) -> None:
    first, second = (pack_version(tmp_path / name, materials, "1").folder for name in "ab")

    for path in first.rglob("*.*"):
        assert (second / path.relative_to(first)).read_bytes() == path.read_bytes()


def test_a_bundle_that_stands_there_is_replaced(materials: Path, bundle: Path) -> None:
    pack_version(bundle, materials, "2")

    assert Bundle.open(bundle).id == "tiny/2"
    assert not (bundle / "members/2.pb").exists()
    assert [path.name for path in bundle.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_replaced_and_its_target_left_alone(
    dangling: bool, materials: Path, bundle: Path, tmp_path: Path
) -> None:
    current = tmp_path / "current"
    current.symlink_to("nowhere" if dangling else bundle.name)

    pack_version(current, materials, "2")

    assert not current.is_symlink()
    assert Bundle.open(current).id == "tiny/2"
    assert Bundle.open(bundle).id == "tiny/1"


def missing_graph(materials: Path, destination: Path) -> None:
    pack(destination, [materials / "absent.pb"], {materials / "red.png": "紅"}, FACTS)


def missing_picture(materials: Path, destination: Path) -> None:
    pack(destination, [materials / "first.pb"], {materials / "absent.png": "紅"}, FACTS)


def no_graphs(materials: Path, destination: Path) -> None:
    pack(destination, [], {materials / "red.png": "紅"}, FACTS)


def unknown_answer(materials: Path, destination: Path) -> None:
    pack(destination, [materials / "first.pb"], {materials / "red.png": "藍"}, FACTS)


def invalid_facts(materials: Path, destination: Path) -> None:
    pack_version(destination, materials, "2", treshold=0.5)


FAULTS = [
    (missing_graph, FileNotFoundError),
    (missing_picture, FileNotFoundError),
    (no_graphs, ValidationError),
    (unknown_answer, ValidationError),
    (invalid_facts, ValidationError),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_failure_leaves_nothing(
    fault: Any, error: type[Exception], materials: Path, tmp_path: Path
) -> None:
    with pytest.raises(error):
        fault(materials, tmp_path / "tiny")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_failure_keeps_what_stood_there(
    fault: Any, error: type[Exception], materials: Path, bundle: Path
) -> None:
    with pytest.raises(error):
        fault(materials, bundle)

    assert Bundle.open(bundle).id == "tiny/1"
    assert [path.name for path in bundle.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_at_the_last_step_puts_back_what_stood_there(
    error: type[BaseException],
    materials: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rename = Path.rename

    def fail_for_the_new_one(self: Path, target: Path) -> Path:
        if self.name == "bundle":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)

    with pytest.raises(error):
        pack_version(bundle, materials, "2")
    assert Bundle.open(bundle).id == "tiny/1"


def test_what_does_not_verify_is_not_put_in_place(
    materials: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> Bundle:
        raise BundleInvalid(str(folder))

    with monkeypatch.context() as patched:
        patched.setattr(Bundle, "open", refuse)
        with pytest.raises(BundleInvalid):
            pack_version(bundle, materials, "2")

    assert Bundle.open(bundle).id == "tiny/1"
