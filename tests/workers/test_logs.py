"""When lines are written."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator

import pytest

from workers.contract.logs import Gathered


class Stream(io.StringIO):
    """Counts how often it was written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def handler(stream: Stream) -> Iterator[Gathered]:
    one = Gathered()
    one.setStream(stream)
    yield one
    one.close()


def say(handler: Gathered, level: int, text: str) -> None:
    handler.handle(logging.makeLogRecord({"levelno": level, "msg": text}))


def test_lines_are_written_together(handler: Gathered, stream: Stream) -> None:
    for number in range(3):
        say(handler, logging.INFO, f"line {number}")
    assert stream.getvalue() == ""
    handler.flush()
    assert stream.getvalue() == "line 0\nline 1\nline 2\n"
    assert stream.writes == 1


def test_they_are_written_after_a_moment(handler: Gathered, stream: Stream) -> None:
    say(handler, logging.INFO, "one")
    while not stream.getvalue():
        time.sleep(0.01)
    assert stream.getvalue() == "one\n"


def test_a_warning_is_written_at_once_behind_what_came_before(
    handler: Gathered, stream: Stream
) -> None:
    say(handler, logging.INFO, "one")
    say(handler, logging.WARNING, "two")
    assert stream.getvalue() == "one\ntwo\n"
