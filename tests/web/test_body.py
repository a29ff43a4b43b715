"""Bodies that are too large, by what their headers say."""

from __future__ import annotations

import io
from typing import Any

import pytest

from web.body import Bodies
from web.problems import BodyTooLarge
from web.wire import max_body_bytes

TOO_LARGE, FAR_TOO_LARGE = max_body_bytes(1_000) + 1, 100_000_000


class Unread(io.BytesIO):
    """Whoever reads it has a caller send what nobody wants."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError


@pytest.mark.parametrize(
    ("length", "headers"), [(TOO_LARGE, {"HTTP_EXPECT": "100-continue"}), (FAR_TOO_LARGE, {})]
)
def test_what_need_not_be_sent_is_refused_unread(length: int, headers: dict[str, str]) -> None:
    environ = {"CONTENT_LENGTH": str(length), "wsgi.input": Unread(), **headers}
    with pytest.raises(BodyTooLarge):
        Bodies(1_000).read(environ, 0)


def test_what_is_being_sent_is_read_away() -> None:
    stream = io.BytesIO(bytes(TOO_LARGE))
    with pytest.raises(BodyTooLarge):
        Bodies(1_000).read({"CONTENT_LENGTH": str(TOO_LARGE), "wsgi.input": stream}, 0)
    assert stream.read() == b""
