"""Property-based fuzzing: whatever is sent, no 500, no hang, no worker that has to be replaced."""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.service_process import SAMPLE, Service, request_body

# CI fuzzes lightly; FUZZ_CASES=5000 is the whole measure.
CASES = int(os.environ.get("FUZZ_CASES", "400"))
ALLOWED = {200, 400, 413, 422}

fuzz = settings(
    max_examples=CASES,
    deadline=None,
    # A failing case is reported as found: each try against a live service costs.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary().map(repr)
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
sample_image = base64.b64decode(SAMPLE["image"])
# Under a uuid of its own: damaged, it would claim the sample's uuid for another image, and the
# service is shared.
sample_request = json.dumps(request_body()).encode()


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes that were cut, repeated or flipped here and there."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["flip", "cut", "insert", "repeat"])):
            case "flip" if data:
                data[at] ^= draw(st.integers(1, 255))
            case "cut":
                del data[at : at + draw(st.integers(1, 64))]
            case "insert":
                data[at:at] = draw(st.binary(max_size=16))
            case "repeat":
                data[at:at] = data[at : at + 32] * 3
    return bytes(data)


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """Valid pictures of any mode, format and odd size, sometimes damaged."""
    mode = draw(st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]))
    size = (draw(st.integers(1, 600)), draw(st.integers(1, 80)))
    format_ = draw(st.sampled_from(["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "ICO"]))
    buffer = io.BytesIO()
    try:
        Image.new(mode, size, draw(st.integers(0, 255)) if mode in "1LPIF" else 0).save(
            buffer, format_
        )
    except (OSError, ValueError):
        Image.new("RGB", size).save(buffer, "PNG")
    data = buffer.getvalue()
    return draw(damaged(data)) if draw(st.booleans()) else data


def check(service: Service, body: Any) -> None:
    response = service.post(body, timeout_s=10, Prefer="wait=8")
    assert response.status_code in ALLOWED, response.text
    if response.status_code == 200:
        assert all(response.json().values())
    else:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code


@fuzz
@given(body=st.binary(max_size=2_000) | damaged(sample_request))
def test_any_bytes(service: Service, body: bytes) -> None:
    check(service, body)


@fuzz
@given(document=documents)
def test_any_json(service: Service, document: Any) -> None:
    check(service, json.dumps(document).encode())


@fuzz
@given(fields=st.dictionaries(st.sampled_from([*SAMPLE, "extra"]), documents, min_size=1))
def test_any_fields(service: Service, fields: dict[str, Any]) -> None:
    check(service, json.dumps(request_body(**fields)).encode())


@fuzz
@given(image=st.text() | damaged(SAMPLE["image"].encode()).map(lambda b: b.decode("latin-1")))
def test_any_base64(service: Service, image: str) -> None:
    check(service, json.dumps(request_body(image=image)).encode())


@fuzz
@given(image=pictures() | damaged(sample_image) | st.binary(max_size=500))
def test_any_image(service: Service, image: bytes) -> None:
    check(service, request_body(image=base64.b64encode(image).decode()))


def test_no_worker_had_to_be_replaced(service: Service) -> None:
    """Runs after the fuzzing, in the order of this file."""
    assert "Process" not in "".join(
        line for line in service.log().splitlines() if "exited with" in line
    )
    _, raised, why = service.log().partition("Traceback")
    assert not raised, why[:4_000]
