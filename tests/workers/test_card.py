"""The card of an algorithm: limits are counted in bytes, and each wrong field has its line."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workers.contract.card import Card, CardInvalid

SOUND: dict[str, Any] = {
    "name": "handwriting",
    "title": "Handwriting",
    "subtitle": "手寫辨識",
    "content": "辨識銀行表單上的手寫中文字。",
    "type": "simple",
    "unit_name": "image",
    "point_per_frame": 0.5,
    "results_to_show_default": 1,
    "image_key": "handwriting.png",
    "algorithms": ["handwriting"],
    "plan_id": 1,
    "overflow_mode": 1,
}
FILE = {"type": "file", "input_mimes": ["image/png"], "output_mimes": ["application/json"]}


def data(**fields: Any) -> bytes:
    """The sound card with other fields, as a file."""
    return json.dumps(SOUND | fields).encode()


def refused(file: bytes) -> list[str]:
    """What is said of a card that is not accepted."""
    with pytest.raises(CardInvalid) as error:
        Card.parse(file)
    return str(error.value).splitlines()


@pytest.mark.parametrize("fields", [{}, FILE])
def test_a_sound_card_survives_being_read_and_written(fields: dict[str, Any]) -> None:
    card = Card.parse(data(**fields))
    assert json.loads(card.to_json()) == {"input_mimes": [], "output_mimes": []} | SOUND | fields
    assert Card.parse(card.to_json().encode()) == card


def test_a_card_cannot_be_changed() -> None:
    card = Card.parse(data())
    with pytest.raises(ValidationError, match="frozen"):
        card.title = "Another"


def test_name_title_and_type_are_all_that_a_card_needs() -> None:
    least = {"name": "sheet", "title": "sheet", "type": "image"}
    assert Card.parse(json.dumps(least).encode()) == Card.of("sheet")
    assert refused(b"{}") == ["name: is missing", "title: is missing", "type: is missing"]


@pytest.mark.parametrize(
    ("field", "longest", "more", "said"),
    [
        ("name", "a" * 30, "a", "31 characters, at most 30"),
        ("title", "字" * 20, "a", "61 bytes, at most 60"),
        ("title", "a" * 60, "字", "63 bytes, at most 60"),
        ("title", "a" * 56 + "𠮷", "a", "61 bytes, at most 60"),
        ("subtitle", "字" * 10, "a", "31 bytes, at most 30"),
        ("subtitle", "字" * 9 + "abc", "字", "33 bytes, at most 30"),
        ("content", "字" * 85, "a", "256 bytes, at most 255"),
        ("content", "字" * 85, "字", "258 bytes, at most 255"),
    ],
)
def test_a_text_may_be_as_long_as_its_limit(field: str, longest: str, more: str, said: str) -> None:
    assert getattr(Card.parse(data(**{field: longest})), field) == longest
    assert refused(data(**{field: longest + more})) == [f"{field}: {said}"]


@pytest.mark.parametrize(
    "name", ["a", "7", "a-", "2-sheets", "0123456789-abcdefghijklmnopqrst"[:30]]
)
def test_a_name_is_of_small_letters_digits_and_hyphens(name: str) -> None:
    assert Card.of(name).name == name
    assert Card.of(name).title == name


@pytest.mark.parametrize(
    "name",
    [
        "Sheet",
        "-sheet",
        "a_b",
        "a/b",
        "a:b",
        "a.b",
        "a b",
        "a%62",
        "{a}",
        "a\n",
        "字",
        "é",
        "٣",
        "\N{FULLWIDTH LATIN SMALL LETTER A}",
    ],
)
def test_a_name_is_usable_in_a_url_and_in_a_key(name: str) -> None:
    said = "name: must be of a-z, 0-9 and -, and not begin with -"
    assert refused(data(name=name)) == [said]
    with pytest.raises(CardInvalid, match="must be of a-z"):
        Card.of(name)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "name: is empty"),
        ({"title": ""}, "title: is empty"),
        ({"title": None}, "title: Input should be a valid string"),
        ({"subtitle": 3}, "subtitle: Input should be a valid string"),
        ({"type": "film"}, "type: Input should be 'simple', 'image' or 'file'"),
        ({"unit_name": []}, "unit_name: Input should be a valid string"),
        ({"image_key": False}, "image_key: Input should be a valid string"),
        ({"point_per_frame": -0.5}, "point_per_frame: -0.5, at least 0"),
        ({"point_per_frame": "1"}, "point_per_frame: Input should be a valid number"),
        ({"point_per_frame": True}, "point_per_frame: Input should be a valid number"),
        ({"point_per_frame": float("inf")}, "point_per_frame: Input should be a finite number"),
        ({"point_per_frame": float("nan")}, "point_per_frame: Input should be a finite number"),
        ({"point_per_frame": 10**400}, "point_per_frame: Input should be a valid number"),
        ({"results_to_show_default": -1}, "results_to_show_default: -1, at least 0"),
        (
            {"results_to_show_default": 0.5},
            "results_to_show_default: Input should be a valid integer",
        ),
        ({"algorithms": "all"}, "algorithms: must be an array"),
        ({"algorithms": ["one", 2, 3]}, "algorithms.1: Input should be a valid string"),
        ({"plan_id": "gold"}, "plan_id: Input should be a valid integer"),
        ({"colour": "red"}, "colour: is unknown"),
        ({"content\n": ""}, "content\\n: is unknown"),
        ({"c" * 1_000: ""}, "c" * 60 + ": is unknown"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(fields: dict[str, Any], said: str) -> None:
    assert refused(data(**fields)) == [said]


def test_every_wrong_field_has_a_line() -> None:
    fields = {
        "title": "字" * 21,
        "point_per_frame": -1,
        "algorithms": [1, 2],
        "colour": 0,
        "size": 0,
    }
    assert refused(data(**fields)) == [
        "title: 63 bytes, at most 60",
        "point_per_frame: -1, at least 0",
        "algorithms.0: Input should be a valid string",
        "colour: is unknown",
        "size: is unknown",
    ]


@pytest.mark.parametrize("field", ["input_mimes", "output_mimes"])
def test_files_need_types(field: str) -> None:
    types = {name: value for name, value in FILE.items() if name != field}
    said = [f"{field}: needed when the type is file"]
    assert refused(data(**types)) == said
    assert refused(data(**types, **{field: []})) == said


@pytest.mark.parametrize(
    "mime",
    [
        "image/svg+xml",
        "application/vnd.ms-excel",
        "application/x-7z-compressed",
        "IMAGE/PNG",
        "a" * 127 + "/" + "b" * 127,
    ],
)
def test_what_looks_like_a_media_type_is_one(mime: str) -> None:
    assert Card.parse(data(**FILE | {"input_mimes": [mime]})).input_mimes == (mime,)


@pytest.mark.parametrize(
    "mime",
    [
        "",
        "png",
        "image/",
        "/png",
        "image/png/1",
        "image/*",
        "image/png; q=1",
        "image/png\n",
        "圖/png",
        "a" * 128 + "/b",
    ],
)
def test_what_does_not_look_like_a_media_type_is_refused(mime: str) -> None:
    card = data(**FILE | {"output_mimes": ["image/png", mime]})
    assert refused(card) == ["output_mimes.1: does not look like type/subtype"]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"", "is not JSON: Expecting value"),
        (b"name: sheet", "is not JSON: Expecting value"),
        (data() + b"x", "is not JSON: Extra data"),
        (b"[" * 60_000, "is not JSON: maximum recursion depth"),
        (b"[" * 30_000 + b"]" * 30_000, "is not JSON: maximum recursion depth"),
        (b'{"plan_id": 1' + b"0" * 5_000 + b"}", "is not JSON: Exceeds the limit"),
        (b"\xef\xbb\xbf" + data(), "begins with a byte order mark"),
        (data().decode().encode("utf-16"), "is not UTF-8 at byte 0"),
        ("字".encode("big5"), "is not UTF-8 at byte 0"),
        (b"[" + data() + b"]", "is no JSON object"),
        (b"null", "is no JSON object"),
        (data(title="\ud800"), "holds half of a surrogate pair"),
        (data(**{"\udfff": 1}), "holds half of a surrogate pair"),
    ],
)
def test_what_is_no_json_object_is_refused(file: bytes, said: str) -> None:
    (line,) = refused(file)
    assert line.startswith(f"the card: {said}")


def test_a_field_that_stands_twice_is_refused_though_both_agree() -> None:
    text = data().decode().removesuffix("}")
    assert refused(f'{text}, "name": "handwriting", "type": "file"}}'.encode()) == [
        "name: stands 2 times",
        "type: stands 2 times",
    ]


SERVICE = {name: SOUND[name] for name in SOUND if name not in ("plan_id", "overflow_mode")}


def form(*services: Any, **outside: Any) -> bytes:
    """The other spelling of a card, as a file."""
    return json.dumps({"plan_id": 1, "overflow_mode": 1, "services": services, **outside}).encode()


def test_a_card_may_stand_in_an_array_of_services() -> None:
    assert Card.parse(form(SERVICE)) == Card.parse(data())
    long = SERVICE | {"title": "字" * 21}
    assert refused(form(long, colour="red")) == [
        "title: 63 bytes, at most 60",
        "colour: is unknown",
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (form(), "services: must be an array of one object"),
        (form(SERVICE, SERVICE), "services: must be an array of one object"),
        (form(services=None), "services: must be an array of one object"),
        (form("sheet"), "services: must be an array of one object"),
        (form(services=SERVICE), "services: must be an array of one object"),
        (form(SERVICE, title="Another"), "title: stands in services and beside"),
    ],
)
def test_an_array_of_services_has_one_and_contradicts_nothing(file: bytes, said: str) -> None:
    assert refused(file) == [said]


@pytest.mark.parametrize(("said", "number"), [(False, 0), (True, 1), (0, 0), (3, 3)])
def test_how_many_results_are_shown_may_be_said_with_false_and_true(said: int, number: int) -> None:
    card = Card.parse(data(results_to_show_default=said))
    assert type(card.results_to_show_default) is int
    assert card.results_to_show_default == number


def test_a_card_has_at_most_64_kilobytes() -> None:
    blank = b" " * (64_000 - len(data()))
    assert Card.parse(data() + blank) == Card.parse(data())
    assert refused(data() + blank + b" ") == ["the card: 64001 bytes, at most 64000"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["file"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*SOUND, *FILE]) | st.text(), ANYTHING))
def test_whatever_a_field_holds_is_accepted_or_refused(fields: dict[str, Any]) -> None:
    with contextlib.suppress(CardInvalid):
        card = Card.parse(data(**fields))
        assert Card.parse(card.to_json().encode()) == card


@given(st.binary())
def test_whatever_comes_is_refused_in_the_same_way(file: bytes) -> None:
    with pytest.raises(CardInvalid):
        Card.parse(file)
