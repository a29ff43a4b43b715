"""The manifest: a misspelt or impossible rule is refused, and the message names its field."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from model.manifest import File, Manifest
from tests.model.graphs import FACTS

DIGEST = "0" * 64

SOUND: dict[str, Any] = {
    **FACTS,
    "members": [{"name": "first", "graph": {"path": "members/1.pb", "sha256": DIGEST}}],
    "golden": [{"image": {"path": "golden/1.png", "sha256": DIGEST}, "answer": "紅"}],
    "isnull": {"label": "isnull", "threshold": 0.2},
}


def changed(where: str, value: Any) -> dict[str, Any]:
    """The sound manifest with another value at a dotted path."""
    facts = copy.deepcopy(SOUND)
    *parents, last = (int(part) if part.isdigit() else part for part in where.split("."))
    place: Any = facts
    for part in parents:
        place = place[part]
    place[last] = value
    return facts


def test_a_sound_manifest_survives_being_written_and_read() -> None:
    manifest = Manifest.model_validate(SOUND)

    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert [file.path for file in manifest.files()] == ["members/1.pb", "golden/1.png"]


def test_calibration_and_isnull_may_be_left_out() -> None:
    facts = {key: value for key, value in SOUND.items() if key != "isnull"}

    manifest = Manifest.model_validate(facts)

    assert manifest.isnull is None
    assert manifest.calibration.temperature == 1.0


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("format", 2),
        ("name", "Tiny Bundle"),
        ("name", "../tiny"),
        ("version", ""),
        ("version", "1\n"),
        ("labels", ["紅"]),
        ("labels", ["紅", "", "isnull"]),
        ("input.height", 0),
        ("input.width", 100_000),
        ("input.scaling", "0-1"),
        ("input.colour", "bgr"),
        ("members", []),
        ("members.0.graph.sha256", DIGEST[1:]),
        ("members.0.graph.sha256", "G" + DIGEST[1:]),
        ("members.0.weight", 2.0),
        ("engines.openvino", 1.5),
        ("calibration", {"temperature": 0}),
        ("calibration", {"temperature": float("inf")}),
        ("calibration", {"temperatur": 1.0}),
        ("isnull.threshold", 1.1),
        ("isnull.threshold", float("nan")),
        ("golden", []),
        ("treshold", 0.5),
        ("licence", None),
    ],
)
def test_an_impossible_value_is_refused_by_its_field(where: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Manifest.model_validate(changed(where, value))

    blamed = ".".join(str(part) for part in refused.value.errors()[0]["loc"])
    assert blamed.startswith(where)


@pytest.mark.parametrize("missing", sorted(set(SOUND) - {"isnull"}))
def test_a_missing_field_is_refused(missing: str) -> None:
    facts = {key: value for key, value in SOUND.items() if key != missing}

    with pytest.raises(ValidationError, match=missing):
        Manifest.model_validate(facts)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("labels", ["紅", "綠", "紅", "isnull"], "a label stands twice: 紅"),
        ("golden.0.answer", "藍", "not among the labels: 藍"),
        ("isnull.label", "nothing", "not among the labels: nothing"),
    ],
)
def test_answers_must_be_labels(where: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate(changed(where, value))


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "../1.pb",
        "members/../../1.pb",
        "members/..",
        ".hidden",
        "members/.hidden/1.pb",
        "members\\1.pb",
        "..\\1.pb",
        "1.pb\0.png",
    ],
)
def test_a_path_that_leaves_the_folder_or_hides_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        File(path=path, sha256=DIGEST)


@given(path=st.text(st.sampled_from("ab./\\~\0"), max_size=12))
def test_a_path_is_refused_or_stays_inside(path: str) -> None:
    try:
        parts = File(path=path, sha256=DIGEST).path.split("/")
    except ValidationError:
        return
    assert all(part and not part.startswith(".") for part in parts)
