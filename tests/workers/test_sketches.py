"""Sketches: ordered, drawn and handed over, or not in time."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from PIL import Image
from redis import Redis

from tests.conftest import AnyRedis
from workers.contract import keys
from workers.contract.clock import wall_clock_ms
from workers.contract.message import SKETCH_TASK
from workers.contract.sketches import Crowded, Ordered, Sketches
from workers.sketcher import Sketcher

LINE = "sheet/1"
BOX = {"box": [4.0, 4.0, 20.0, 20.0], "text": "德", "confidence": 0.99}
PAGE = {"page": 1, "lines": [{"characters": [BOX]}], "print": []}


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(stream, "PNG")
    return stream.getvalue()


@contextmanager
def working(redis: Redis, work: Callable[[str], object]) -> Iterator[None]:
    """A worker that takes one message, in a thread."""

    def take() -> None:
        _, text = redis.brpop([keys.of(LINE, keys.INFERENCE)], timeout=20)
        message = json.loads(text)
        assert message["headers"]["task"] == SKETCH_TASK
        work(json.loads(message["body"])[1]["ticket"])

    thread = threading.Thread(target=take)
    thread.start()
    yield
    thread.join()


def test_a_page_is_drawn_by_a_worker(any_redis: AnyRedis) -> None:
    sketches = Sketches(any_redis.client)
    with working(any_redis.client, Sketcher(sketches, 1).draw):
        png = sketches.drawn(LINE, Ordered(picture(), 0, PAGE), wall_clock_ms() + 20_000)
    assert png is not None
    with Image.open(io.BytesIO(png)) as drawn:
        assert drawn.size == (40, 30)
        assert drawn.getpixel((4, 10)) == (0, 150, 60)
        assert drawn.getpixel((12, 12)) == (255, 255, 255)
    assert not any_redis.client.keys("*sketch*")


def test_what_cannot_be_drawn_is_told_at_once(any_redis: AnyRedis) -> None:
    sketches = Sketches(any_redis.client)
    with working(any_redis.client, Sketcher(sketches, 1).draw):
        ordered = Ordered(b"no picture", 0, PAGE)
        assert sketches.drawn(LINE, ordered, wall_clock_ms() + 20_000) == b""


def test_who_waits_in_vain_leaves_nothing(any_redis: AnyRedis) -> None:
    sketches = Sketches(any_redis.client)
    assert sketches.drawn(LINE, Ordered(b"file", 0, PAGE), wall_clock_ms() + 20) is None
    assert not any_redis.client.keys("*sketch*")
    (message,) = any_redis.client.lrange(keys.of(LINE, keys.INFERENCE), 0, -1)
    ticket = json.loads(json.loads(message)["body"])[1]["ticket"]
    assert Sketcher(sketches, 1).draw(ticket) == "skipped"


def test_no_more_wait_than_redis_has_room_for(any_redis: AnyRedis) -> None:
    now_ms = wall_clock_ms()
    waiting = keys.of(LINE, keys.SKETCHES)
    others = {str(number): now_ms + 30_000 for number in range(4)}
    any_redis.client.zadd(waiting, others)
    sketches = Sketches(any_redis.client)
    with pytest.raises(Crowded):
        sketches.drawn(LINE, Ordered(b"file", 0, PAGE), now_ms + 20_000)
    assert any_redis.client.zcard(waiting) == 4
    # Of those that were lost with their front, the time is over.
    any_redis.client.zadd(waiting, {"0": now_ms - 1})
    assert sketches.drawn(LINE, Ordered(b"file", 0, PAGE), now_ms) is None
