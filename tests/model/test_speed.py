"""The fastest engine is found by measuring, among those that the bundle says agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.bundle import Bundle
from model.engines import AUTO, Network, Pixels, Probabilities, speed
from model.engines.cache import Cache
from model.ensemble import Ensemble
from model.errors import BundleInvalid, EngineUnavailable
from model.express import Express
from model.manifest import Express as Form
from tests.model.graphs import RED, picture

Engines = Callable[[str], Any]


def network(took_ms: int, answer: int = 0) -> Network:
    def run(_: Pixels) -> Probabilities:
        time.sleep(took_ms / 1000)
        return np.eye(3, dtype=np.float32)[answer]

    return run


def engines(took_ms: dict[str, int], answer: int = 0) -> Engines:
    """Engines whose networks take that long; others are not made for this CPU."""

    def engine(name: str) -> Any:
        def load(*_: Any) -> Network:
            if name not in took_ms:
                raise EngineUnavailable(f"no {name} here")
            return network(took_ms[name], answer)

        return SimpleNamespace(load=load)

    return engine


def saying(opened: Bundle, **fields: Any) -> Bundle:
    manifest = opened.manifest.model_copy(update=fields)
    return Bundle(opened.folder, manifest, opened.digest)


@pytest.mark.parametrize(
    ("agreement", "took_ms", "expected"),
    [
        (0.997, {"openvino": 4, "openvino-bf16": 1}, "openvino-bf16"),
        (0.997, {"openvino": 1, "openvino-bf16": 4}, "openvino"),
        (0.98, {"openvino": 4, "openvino-bf16": 1}, "openvino"),
        (0.997, {"openvino": 1}, "openvino"),
    ],
)
def test_the_fastest_that_agrees_is_taken(
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    agreement: float,
    took_ms: dict[str, int],
    expected: str,
) -> None:
    monkeypatch.setattr(speed, "engine", engines(took_ms))
    said = saying(Bundle.open(bundle), engines={"openvino": 1.0, "openvino-bf16": agreement})
    assert speed.chosen(AUTO, said, 1, None) == expected


def test_an_engine_of_which_the_bundle_says_nothing_is_not_tried(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "engine", engines({"openvino": 4, "openvino-bf16": 1}))
    assert speed.chosen(AUTO, Bundle.open(bundle), 1, None) == "openvino"


def test_it_is_measured_once_for_a_machine_and_bundle(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened, cache = Bundle.open(bundle), Cache(tmp_path / "cache")
    said = saying(opened, engines={"openvino-bf16": 1.0})
    monkeypatch.setattr(speed, "engine", engines({"openvino": 4, "openvino-bf16": 1}))
    assert speed.chosen(AUTO, said, 1, cache) == "openvino-bf16"
    monkeypatch.setattr(speed, "engine", engines({"openvino": 1, "openvino-bf16": 4}))
    assert speed.chosen(AUTO, said, 1, cache) == "openvino-bf16"
    assert speed.chosen(AUTO, said, 2, cache) == "openvino"
    another = Bundle(said.folder, said.manifest, "another digest")
    assert speed.chosen(AUTO, another, 1, cache) == "openvino"


def test_a_member_that_does_not_run_is_the_bundles_fault(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Pixels) -> Probabilities:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(speed, "engine", lambda _: SimpleNamespace(load=lambda *_: broken))
    said = saying(Bundle.open(bundle), engines={"openvino-bf16": 1.0})
    with pytest.raises(BundleInvalid, match="tiny/1: its first member does not run: shapes differ"):
        speed.chosen(AUTO, said, 1, None)


def test_one_that_is_named_is_not_measured(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "engine", engines({}))
    assert speed.chosen("tensorflow", Bundle.open(bundle), 1, None) == "tensorflow"


def ensemble(bundle: Path, *forms: str, member_ms: int = 4) -> Ensemble:
    """Two members that see red, and forms of the first that the bundle allows."""
    express = tuple(Form(engine=form, agreement=1, lost=0) for form in forms)
    said = saying(Bundle.open(bundle), express=express)
    return Ensemble(said, [network(member_ms), network(member_ms)])


def test_the_fastest_form_that_is_allowed_is_the_express_member(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "engine", engines({"a": 3, "b": 1, "c": 0}, answer=1))
    express = Express.load(ensemble(bundle, "a", "b", "d"), "openvino", 1, None)
    assert express
    assert 1_000 <= express.took_us < 3_000
    (reading,) = express.readings(picture(RED))
    assert (reading.answer, reading.members, reading.settled) == ("綠", 1, False)


@pytest.mark.parametrize("forms", [(), ("a",), ("d",)])
def test_without_a_form_that_takes_less_there_is_none(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, forms: tuple[str, ...]
) -> None:
    """Given one that takes as long as the member, and one that this CPU is not made for."""
    monkeypatch.setattr(speed, "engine", engines({"a": 4}))
    assert Express.load(ensemble(bundle, *forms), "openvino", 1, None) is None


def test_what_computes_anyway_is_no_cheaper_form(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a busy machine measures it."""
    monkeypatch.setattr(speed, "engine", engines({"a": 1}))
    assert Express.load(ensemble(bundle, "a"), "openvino", 1, None)
    assert Express.load(ensemble(bundle, "a"), "a", 1, None) is None
