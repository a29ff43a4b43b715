"""The keeper: one worker for each version that is to be served, whatever ends or is retired."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from model.store import Store
from tests.memory_redis import MemoryRedis
from tests.service_process import bundle_with
from workers import keeper as module
from workers.cards import Cards
from workers.contract import keys
from workers.contract.published import PublishedCards
from workers.contract.register import Register
from workers.keeper import Keeper
from workers.roster import Roster, Versions
from workers.settings import WorkerSettings

# Stands for ``celery -A workers worker``: writes down what it serves, and ends when it is told to.
WORKER = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
folder, *words = sys.argv[1:]
note = pathlib.Path(f"{folder}.{os.getpid()}")
note.write_text(os.environ["BUNDLE"] + " " + " ".join(words))
note.rename(pathlib.Path(folder, str(os.getpid())))  # nobody finds it half written
signal.pause()
"""


class Site:
    """A keeper, its store, and what it has started."""

    def __init__(self, redis: MemoryRedis, folder: Path) -> None:
        self.memory, self.redis = redis, redis.client
        self.bundle, self.runs = folder / "bundle", folder / "runs"
        self.runs.mkdir()
        bundle_with(self.bundle, version="1")
        self.next = bundle_with(folder / "next", version="2")
        self.settings = WorkerSettings(bundle=self.bundle, bundles=str(folder / "store"))
        self.store = Store(folder / "store")
        self.roster = Roster(folder / "store", lambda: 0)
        self.keeper = Keeper(
            [sys.executable, "-c", WORKER, str(self.runs)],
            self.settings,
            Register(self.redis, self.settings),
            Cards(folder / "store", PublishedCards(self.redis)),
        )

    def change(self, **fields: object) -> None:
        self.roster.change("test", "handwriting/2", "", lambda _: Versions.model_validate(fields))

    def stage(self) -> None:
        self.store.add(self.next, lambda _: None)
        self.change(staged=("handwriting/2",))

    def served(self) -> dict[str, int]:
        """The process that serves each folder."""
        found = {}
        for note in self.runs.iterdir():
            with suppress(psutil.NoSuchProcess):
                if psutil.Process(int(note.name)).status() != psutil.STATUS_ZOMBIE:
                    found[note.read_text().split()[0]] = int(note.name)
        return found

    def look_until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < until, self.served()
            self.keeper.look()
            time.sleep(0.02)


@pytest.fixture
def site(memory: MemoryRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(module, "_FIRST_PAUSE_MS", 50)
    one = Site(memory, tmp_path)
    yield one
    one.memory.come_back()
    one.keeper.stop()
    until = time.monotonic() + 30
    while not one.keeper.has_stopped():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_bundle_is_served_under_its_own_path(site: Site) -> None:
    site.look_until(lambda: site.served().keys() == {str(site.bundle)})
    (note,) = site.runs.iterdir()
    assert note.read_text().split()[1:] == ["-n", "handwriting-1@%h"]


def test_a_staged_version_comes_beside_it_and_a_retired_one_goes(site: Site) -> None:
    site.look_until(lambda: len(site.served()) == 1)
    before = site.served()
    site.stage()
    staged = str(site.store.open("handwriting/2").folder)
    site.look_until(lambda: site.served().keys() == {str(site.bundle), staged})
    assert site.served().items() >= before.items(), "the old one went on"
    site.change(staged=("handwriting/2",), retired=("handwriting/1",))
    site.look_until(lambda: site.served().keys() == {staged})


def test_what_ends_is_started_again(site: Site) -> None:
    site.look_until(lambda: len(site.served()) == 1)
    (pid,) = site.served().values()
    os.kill(pid, 9)
    site.look_until(lambda: site.served().get(str(site.bundle), pid) != pid)


def test_when_its_worker_has_ended_the_folder_may_hold_another_version(site: Site) -> None:
    site.look_until(lambda: len(site.served()) == 1)
    (pid,) = site.served().values()
    site.bundle.rename(site.bundle.with_name("before"))
    site.next.rename(site.bundle)
    site.keeper.look()
    assert site.served() == {str(site.bundle): pid}, (
        "nobody stops it before another one could serve"
    )
    os.kill(pid, 9)
    site.look_until(lambda: len(site.served()) == 1 and pid not in site.served().values())
    assert "handwriting-2@%h" in (site.runs / str(*site.served().values())).read_text()


def test_a_redis_that_has_lost_it_is_told_what_was_promoted_before_anybody_serves(
    site: Site,
) -> None:
    site.stage()
    site.change(staged=("handwriting/2",), promoted="handwriting/2", previous="handwriting/1")
    site.keeper.look()
    assert site.redis.hget(keys.PROMOTED, "handwriting") == b"handwriting/2"
    assert site.redis.hget(keys.PREVIOUS, "handwriting") == b"handwriting/1"
    # Whoever promoted meanwhile knows better than a file that is behind.
    site.redis.hset(keys.PROMOTED, "handwriting", "handwriting/1")
    site.keeper.look()
    assert site.redis.hget(keys.PROMOTED, "handwriting") == b"handwriting/1"


def test_without_redis_nothing_starts_and_what_runs_goes_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.memory.go_away()
    site.keeper.look()
    site.keeper.look()
    assert not any(site.runs.iterdir())
    assert len(caplog.records) == 1, "said once"
    site.memory.come_back()
    site.look_until(lambda: len(site.served()) == 1)
    before = site.served()
    site.memory.go_away()
    site.keeper.look()
    assert site.served() == before


def test_a_broken_store_leaves_the_others_alone(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.look_until(lambda: len(site.served()) == 1)
    before = site.served()
    site.change(staged=("handwriting/9",))
    site.keeper.look()
    assert "holds no handwriting/9" in caplog.text
    assert site.served() == before
