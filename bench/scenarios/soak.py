"""Soak: a mixed load for long, while parts of the service are killed; what is lost, what grows?

Most callers have a second, some are patient; some send again what is answered; images weigh from a
kilobyte to six megabytes; one in a hundred is hostile, and a few callers send bodies that never
end. Every minute a worker process is killed, every five Redis is restarted. Only for a Punctual
that is started for it: KEEP_FOR_MS=60000 in the environment lets it see what is left at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import time
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from matplotlib.figure import Figure

from bench.caller import Call, Caller, Patience, Record
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.pictures import Picture
from bench.plots import draw_lines
from bench.score import Score
from bench.service import Punctual
from workers.contract.settings import QueueSettings

HELP = "a mixed load for 20 minutes, while workers are killed and Redis is restarted"
KEYS = ("callers",)
COMPARED = ("in time %",)

# Of a hundred calls.
_PATIENT, _AGAIN, _HOSTILE = 10, 10, 1
# Bytes of the larger images, and how many calls in a thousand have one.
_LARGE = {300_000: 20, 700_000: 8, 2_000_000: 3, 6_000_000: 1}

_KILL_EVERY_S, _RESTART_EVERY_S, _SAMPLE_EVERY_S = 60, 300, 10
_REFUSED_FOR_GOOD = 422
# Entries outlive their answers by a minute at the most.
_LEFT_AFTER_S = 70


def add_arguments(parser: ArgumentParser) -> None:
    """How long, how hard."""
    add = parser.add_argument
    add("--minutes", type=float, default=20)
    add("--level", type=float, default=0.25, help="calls, in multiples of C; large ones cost more")
    add("--slow", type=int, default=10, help="callers whose bodies never end")


def patience(_: Namespace) -> Patience:
    """A second, and two re-sends also of what was refused."""
    return Patience(insists=True)


def measure(load: Load, options: Namespace) -> Measured:
    """A row for each kind of caller; memory of every part over time.

    Raises:
        BenchError: the service was not started for this.
    """
    if not isinstance(load.target, Punctual):
        raise BenchError("soak kills parts of a service: it must start one of its own")
    soak = _Soak(load, load.target, options)
    asyncio.run(soak.run())
    rows = [soak.row(group) for group in ("hurried", "patient", "hostile")]
    series = {"MB": soak.megabytes, "unanswered": soak.unanswered(), "keys left": soak.keys_left()}
    return Measured(rows, series)


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """Memory of each part by time."""
    lines = {}
    for each in measured.values():
        for part in ("front", "workers", "redis"):
            times = [sample["s"] for sample in each.series["MB"]]
            lines[part] = (times, [sample[part] for sample in each.series["MB"]])
    draw_lines(figure.subplots(), lines, "s", "MB resident")


def _tiff(width: int, height: int, tile: int) -> bytes:
    """One whose only tile unpacks to far more than the file holds."""
    tags = (
        *((256, width), (257, height), (258, 8), (259, 8), (262, 1), (277, 1)),
        *((322, tile), (323, tile), (324, 8), (325, 64)),
    )
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)


# No image, half an image, one of a monstrous size, one with a monstrous tile.
HOSTILE_FILES = (
    b"<html>no image</html>",
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0),
    _tiff(4_000_000, 1, 1 << 20),
)


class _Soak:
    """One run."""

    def __init__(self, load: Load, target: Punctual, options: Namespace) -> None:
        self._load, self._target, self._options = load, target, options
        self._seconds = 60 * options.minutes
        self._random = random.Random(options.seed)  # noqa: S311
        self._large = {size: Picture.of_noise(size) for size in _LARGE}
        self._records: list[Record] = []
        self.megabytes: list[dict[str, float]] = []

    async def run(self) -> None:
        """All callers at once, and the troubles beside them."""
        hurried = Caller(self._target.url, patience(self._options))
        patient = Caller(self._target.url, Patience(10_000, prefer=True, insists=True))
        rate = self._options.level * self._load.capacity.per_s
        share = _PATIENT / 100
        troubles = [asyncio.create_task(self._slow_caller()) for _ in range(self._options.slow)]
        troubles.append(asyncio.create_task(self._trouble()))
        await asyncio.gather(
            hurried.run(self._calls(rate * (1 - share), "hurried"), self._records.append),
            patient.run(self._calls(rate * share, "patient"), self._records.append),
        )
        for task in troubles:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*troubles, return_exceptions=True)

    def row(self, group: str) -> dict[str, Any]:
        """What the callers of one kind got."""
        records = [record for record in self._records if record.call.group == group]
        score = Score(records, self._seconds)
        statuses = ", ".join(f"{status}: {count}" for status, count in score.statuses.items())
        return {
            "callers": group,
            **score.columns(),
            "unanswered uuids": sum(map(_is_lost, records)),
            "copies by status": statuses,
        }

    def unanswered(self) -> list[dict[str, Any]]:
        """Each uuid of an honest caller that got no answer, to be looked for in the log."""
        return [
            {
                "s": round(record.call.due_s, 1),
                "callers": record.call.group,
                "base64 bytes": len(record.call.image),
                "statuses": [copy.status for copy in record.copies],
            }
            for record in self._records
            if record.call.group != "hostile" and _is_lost(record)
        ]

    def keys_left(self) -> dict[str, int] | None:
        """What is in Redis once every answer must be forgotten, by the beginning of its key."""
        keep_for_s = QueueSettings.read().keep_for_ms / 1000
        redis = self._target.redis()
        if redis is None or keep_for_s > self._seconds:
            return None
        time.sleep(keep_for_s + _LEFT_AFTER_S)
        with redis:
            found: dict[str, int] = {}
            for key in redis.scan_iter(count=1_000):
                name = key.decode().rpartition(":")[0] or key.decode()
                found[name] = found.get(name, 0) + 1
            return found

    def _calls(self, rate: float, group: str) -> Iterator[Call]:
        latest: list[Call] = []
        for due_s in self._load.arrivals(rate, round(rate * self._seconds)):
            if latest and self._random.randrange(100) < _AGAIN:
                yield replace(self._random.choice(latest), due_s=due_s)
                continue
            if self._random.randrange(100) < _HOSTILE:
                image = self._random.choice(HOSTILE_FILES)
                marked = image + uuid.uuid4().bytes
                picture = Picture(marked, "")
                yield Call(uuid.uuid4().hex, picture.base64, "", due_s, "hostile")
                continue
            call = self._made_large(self._load.call(due_s, group))
            latest = [*latest[-50:], call]
            yield call

    def _made_large(self, call: Call) -> Call:
        """One call in about thirty, with noise for an image."""
        number = self._random.randrange(1_000)
        for size, share in _LARGE.items():
            if number < share:
                noise = self._large[size].marked(self._random.randrange(10**9))
                return replace(call, image=noise.base64, label=noise.label)
            number -= share
        return call

    async def _trouble(self) -> None:
        """Kill, restart, and look at the memory."""
        processes = self._target.processes
        for second in range(0, round(self._seconds), _SAMPLE_EVERY_S):
            self.megabytes.append(
                {"s": second}
                | {
                    part: processes.resident_bytes(part) / 2**20
                    for part in ("front", "workers", "redis")
                }
            )
            if second % _KILL_EVERY_S == _KILL_EVERY_S // 2:
                processes.kill_child("workers")
            if second and second % _RESTART_EVERY_S == 0:
                await asyncio.to_thread(processes.end, "redis")
                processes.start_again("redis")
            await asyncio.sleep(_SAMPLE_EVERY_S)

    async def _slow_caller(self) -> None:
        """A body that comes byte by byte, over one connection after another."""
        parts = urlsplit(self._target.url)
        head = b"POST /inference HTTP/1.1\r\nHost: slow\r\nContent-Length: 5000000\r\n\r\n"
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                writer.write(head + b'{"image": "')
                for _ in range(30):
                    await asyncio.sleep(1)
                    writer.write(b"A" * 100)
                    await writer.drain()
                writer.close()


def _is_lost(record: Record) -> bool:
    return record.answer is None and record.copies[-1].status != _REFUSED_FOR_GOOD
