"""Bodies as callers write them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from web.problems import BodyTooLarge, FieldInvalid, NotJson
from web.wire import InferenceRequest

IMAGE = b"some picture's bytes"
FIELDS: dict[str, Any] = {
    "esun_uuid": "abc",
    "esun_timestamp": 1_590_493_849,
    "image": base64.b64encode(IMAGE).decode(),
    "retry": 2,
}


def parse(**fields: Any) -> InferenceRequest:
    return InferenceRequest.parse(json.dumps(FIELDS | fields).encode(), 1_000)


def test_a_request_is_its_uuid_and_its_image() -> None:
    request = parse()
    assert (request.uuid, request.image, request.size) == ("abc", IMAGE, len(IMAGE))
    assert request.fingerprint == hashlib.sha256(IMAGE).hexdigest()
    assert request.retry == 2


@pytest.mark.parametrize("number", [1_590_493_849, 1_590_493_849.25, "1590493849", "1590493849.5"])
@pytest.mark.parametrize("field", ["esun_timestamp", "retry"])
def test_numbers_that_decide_nothing_may_be_written_in_any_way(field: str, number: Any) -> None:
    assert parse(**{field: number}).uuid == "abc"


@pytest.mark.parametrize("value", [True, [], {}, "soon", "", "nan", "inf", None])
def test_what_is_no_number_is_not(value: Any) -> None:
    with pytest.raises(FieldInvalid, match="esun_timestamp") as problem:
        parse(esun_timestamp=value)
    assert problem.value.uuid == "abc"


def test_base64_may_be_wrapped_but_not_broken() -> None:
    text = FIELDS["image"]
    assert parse(image=f"{text[:8]}\r\n{text[8:]}\n").image == IMAGE
    for broken in (text[:-1], f"data:image/png;base64,{text}", text + "A", "é" * 8, "=AAA"):
        with pytest.raises(FieldInvalid, match="not base64"):
            parse(image=broken)


def test_an_image_over_the_limit_is_told_whose_it_is() -> None:
    with pytest.raises(BodyTooLarge) as problem:
        parse(image=base64.b64encode(bytes(1_001)).decode())
    assert problem.value.uuid == "abc"


@pytest.mark.parametrize("body", [b"[" + b"[]," * 10_000 + b"[]]", b"[" + b"1," * 20_000 + b"1]"])
def test_a_body_of_many_values_is_refused_unparsed(body: bytes) -> None:
    with pytest.raises(NotJson, match="10,000 values"):
        InferenceRequest.parse(body, 1_000)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5_000])
def test_what_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises(NotJson):
        InferenceRequest.parse(body, 1_000)
