"""What is refused on a version's way, and that nothing is changed by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import BundleInvalid
from tests.memory_redis import MemoryRedis
from tests.service_process import bundle_with
from workers import lifecycle as module
from workers import room
from workers.contract.line import Line, Rate
from workers.contract.register import Register
from workers.contract.shadow import Shadow
from workers.lifecycle import Lifecycle, NotDone
from workers.roster import Versions
from workers.settings import WorkerSettings

SIZE = 100 << 20
OLD, NEW = "handwriting/1", "handwriting/2"


class Desk:
    """Version 1 has a worker; no golden image is really read."""

    def __init__(self, redis: MemoryRedis, folder: Path) -> None:
        self.redis, self.folder = redis.client, folder
        self.lifecycle = self.opened(str(folder / "store"))
        self.beat(OLD)

    def opened(self, bundles: str) -> Lifecycle:
        settings = WorkerSettings(bundles=bundles, lease_ms=60_000)
        return Lifecycle(settings, Register(self.redis, settings), Shadow(self.redis))

    def beat(self, line: str, worker: str = "host:1") -> None:
        own = Line(line, self.redis, WorkerSettings())
        own.beat(worker, Rate(1, 1e9), resident_bytes=SIZE, takes_default=True)

    def bundle(self, **fields: str) -> Path:
        return bundle_with(self.folder / "bundle", **fields)

    def versions(self) -> Versions:
        return self.lifecycle._roster.of("handwriting")


@pytest.fixture
def desk(memory: MemoryRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(module, "prove", lambda *_: None)
    monkeypatch.setattr(module, "_STARTED_WITHIN_S", 0.3)
    monkeypatch.setattr(module, "_ENDED_WITHIN_S", 0.3)
    return Desk(memory, tmp_path)


def test_a_staged_version_is_ready_when_as_many_processes_serve_it(desk: Desk) -> None:
    staging = desk.lifecycle.stage(desk.bundle(version="2"))
    assert "is stored" in next(staging)
    assert "starts beside handwriting/1" in next(staging)
    assert desk.versions().staged == (NEW,)
    desk.beat(NEW)
    assert "promote it" in next(staging)


def test_a_version_that_does_not_come_up_is_told(desk: Desk) -> None:
    with pytest.raises(NotDone, match="handwriting/2 has 0 of 1 processes"):
        list(desk.lifecycle.stage(desk.bundle(version="2")))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "handwritng", "version": "2"}, "nothing called handwritng is served here; hand"),
        ({"version": "1"}, "handwriting/1 is served already, from elsewhere"),
    ],
)
def test_what_cannot_take_anybodys_place_is_not_staged(
    desk: Desk, fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(NotDone, match=reason):
        list(desk.lifecycle.stage(desk.bundle(**fields)))
    assert desk.versions() == Versions()
    assert desk.lifecycle._store.ids() == []


def test_what_is_active_is_not_staged_again(desk: Desk) -> None:
    folder = desk.bundle(version="2")
    staging = desk.lifecycle.stage(folder)
    next(staging)
    next(staging)
    desk.beat(NEW)
    list(staging)
    Line(NEW, desk.redis, WorkerSettings()).probed()
    desk.lifecycle.promote(NEW, fewer=True)
    with pytest.raises(NotDone, match="handwriting/2 is active already"):
        list(desk.lifecycle.stage(folder))


def test_what_does_not_prove_itself_is_not_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disprove(*_: object) -> None:
        raise BundleInvalid("handwriting/2: golden.jpg reads '龍'")

    monkeypatch.setattr(module, "prove", disprove)
    with pytest.raises(NotDone, match="reads '龍'"):
        list(desk.lifecycle.stage(desk.bundle(version="2")))
    assert desk.lifecycle._store.ids() == []


def test_where_not_one_process_has_room_nothing_starts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: SIZE)
    with pytest.raises(NotDone, match=r"not one process of handwriting/2 can start: .*100 MiB are"):
        list(desk.lifecycle.stage(desk.bundle(version="2")))
    assert desk.versions() == Versions()


def test_where_some_have_room_the_version_is_staged_with_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.beat(OLD, worker="host:2")
    staging = desk.lifecycle.stage(desk.bundle(version="2"))
    assert "starts beside" in [next(staging), next(staging)][-1]
    monkeypatch.setattr(room, "free_bytes", lambda: 0)
    desk.beat(NEW)
    assert "has 1 of 2 processes, and a process takes 100 MiB, 0 MiB are free" in next(staging)
    assert "promote it" in next(staging)


def test_what_is_active_or_unknown_is_not_retired(desk: Desk) -> None:
    with pytest.raises(NotDone, match="handwriting/1 is active: promote another version first"):
        list(desk.lifecycle.retire(OLD))
    with pytest.raises(NotDone, match="there is no handwriting/9"):
        list(desk.lifecycle.retire("handwriting/9"))
    assert desk.versions() == Versions()


def test_a_retired_version_stays_in_the_store_while_somebody_serves_it(desk: Desk) -> None:
    staging = desk.lifecycle.stage(desk.bundle(version="2"))
    next(staging), next(staging)
    desk.beat(NEW)
    with pytest.raises(NotDone, match="still has 1 processes"):
        list(desk.lifecycle.retire(NEW))
    assert desk.versions().retired == (NEW,)
    assert desk.lifecycle._store.ids() == [NEW]


def test_without_a_store_nothing_is_staged(desk: Desk) -> None:
    with pytest.raises(NotDone, match="BUNDLES is not set"):
        list(desk.opened("").stage(desk.bundle(version="2")))
    with pytest.raises(NotDone, match="BUNDLES is not set"):
        list(desk.opened("").retire(OLD))


def test_only_a_version_that_serves_beside_the_active_one_reads_along(desk: Desk) -> None:
    for line, reason in ((OLD, "is active"), (NEW, "no worker of"), ("forms/1", "nothing called")):
        with pytest.raises(NotDone, match=reason):
            desk.lifecycle.shadow(line, 10)
    desk.beat(NEW)
    assert "reads 10 %" in desk.lifecycle.shadow(NEW, 10)
    assert "nobody reads along" in desk.lifecycle.shadow(NEW, 0)
    assert [step.what for step in desk.lifecycle.steps(5)] == ["shadow 10 %", "shadow 0 %"]
