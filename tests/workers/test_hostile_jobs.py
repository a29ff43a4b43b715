"""Hostile files as jobs: of each, every item has its result, and the job its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from model.documents import Document, pictured
from model.ensemble import Ensemble, Reading
from model.image import upright
from tests.hostile_files import DOCUMENTS, FILES, IMAGES, LIMIT, READ, Hostile
from tests.memory_redis import MemoryRedis
from workers import inputs
from workers.contract.contents import Contents
from workers.contract.files import Files
from workers.contract.items import Items
from workers.contract.job import Input, Order, State
from workers.contract.jobs import Jobs
from workers.contract.lanes import Lane
from workers.contract.line import Line
from workers.contract.slices import Slices
from workers.inputs import Inputs
from workers.jobs import JobReader
from workers.settings import WorkerSettings
from workers.unpacking import Unpacker


class Looks:
    """Decodes as readers do, and reads nothing."""

    size = 1
    bundle = cast(Any, type("Bundle", (), {"id": "looks/1"}))

    def __init__(self, *, at_sheets: bool) -> None:
        self._at_sheets = at_sheets

    def readings(self, image: bytes) -> Iterator[Reading]:
        if self._at_sheets:
            document = Document(image, most=8)
            assert document.pages == 1
            document.picture(0)
        else:
            upright(image)
        yield Reading(READ, 1.0, 1, settled=True)


@pytest.mark.parametrize(
    ("hostile", "at_sheets"),
    [
        *((hostile, True) for hostile in FILES),
        *((hostile, False) for hostile in (*DOCUMENTS, *IMAGES)),
    ],
    ids=lambda value: getattr(value, "name", "a sheet" if value else "a character"),
)
def test_everything_has_its_result(
    hostile: Hostile,
    at_sheets: bool,
    memory: MemoryRedis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inputs, "_ALWAYS_BYTES", 20_000_000)
    files = Files(tmp_path)
    jobs, items = Jobs(files, 60_000, 10**9), Items(files, 60_000, 3)
    unpacker = Unpacker(files, Contents(files, 60_000, 3), Inputs(LIMIT))
    settings = WorkerSettings()
    reader = JobReader(
        cast(Ensemble, Looks(at_sheets=at_sheets)),
        Line("looks/1", memory.client, settings),
        Slices("looks/1", memory.client, settings),
        *(jobs, items, unpacker, bytes if at_sheets else pictured, lambda: None, lambda: 0),
    )
    data = hostile.make()
    brought = (Input(hostile.kind, "0"),)
    order = Order("j", "d", "looks", Lane.BATCH, brought, len(data))
    jobs.create(order, lambda folder: [(folder / "0").write_bytes(data)])

    reader.work("j", "t")

    job = jobs.find("j")
    assert job is not None
    assert job.state.is_end
    lines = [json.loads(line) for line in "".join(items.results(job)).splitlines()]
    if hostile.problem:
        assert job.state is State.FAILED
        assert hostile.problem in (job.problem or "")
        return
    assert job.problem is None
    told = [line.get("answer") or line["error"]["detail"] for line in lines]
    assert len(told) == len(hostile.outcomes), told
    for outcome, expected in zip(told, hostile.outcomes, strict=True):
        assert re.search(expected, outcome)
    # Nothing but the folder of the jobs was written to.
    assert {path.name for path in tmp_path.iterdir()} <= {
        *("files", "jobs.sqlite3", "jobs.sqlite3-wal", "jobs.sqlite3-shm")
    }
