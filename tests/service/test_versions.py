"""A new version takes over while callers are served, and the one before it comes back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service_process import ROOT, Service, another_image, bundle_with, end, request_body
from workers.contract.keys import ENTRY_PREFIX

CALLERS, TRIES = 4, 3


class Swap:
    """A service with a keeper, and another version of its bundle, packed."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.service = Service(folder, light=True, BUNDLES=str(self.store))
        bundle = bundle_with(folder / "bundle", version="next")
        self.archive = shutil.make_archive(str(bundle), "gztar", bundle)
        self.old, self.new = self.service.line, f"{self.service.algorithm}/next"

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """``python -m workers``."""
        return subprocess.Popen(
            [sys.executable, "-m", "workers", *words],
            cwd=ROOT,
            env={
                **os.environ,
                "REDIS_URL": self.service.redis.url,
                "BUNDLES": str(self.store),
                "ENGINE_CACHE": str(self.service.folder.parent / "engine-cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str) -> str:
        """All that it says."""
        return "".join(self.begin(*words).communicate())

    def promote(self) -> None:
        assert "is staged" in self.command("stage", self.archive)
        assert "is active now" in self.command("promote", self.new)

    def answer(self, number: int) -> str:
        """Which version answers a new image to a caller with a second and two re-sends."""
        body = request_body(image=another_image(number))
        for _ in range(TRIES):
            try:
                reply = self.service.post(body, timeout_s=1, Prefer="wait=0.9")
            except requests.RequestException:
                continue
            if reply.status_code == 200:
                return reply.headers["Punctual-Bundle"]
        return "nobody"

    def filed(self) -> Counter[tuple[str, str]]:
        """The versions that gave answers, beside those under which they lie in Redis."""
        redis = self.service.redis.client
        pairs: Counter[tuple[str, str]] = Counter()
        for key in redis.scan_iter(f"{ENTRY_PREFIX}*"):
            if result := redis.hget(key, "result"):
                line = key.decode().removeprefix(ENTRY_PREFIX).partition(":")[0]
                pairs[line, json.loads(result)["bundle"]] += 1
        return pairs


@pytest.fixture
def swap(tmp_path: Path) -> Iterator[Swap]:
    one = Swap(tmp_path)
    try:
        one.service.start(concurrency=1)
        yield one
    finally:
        one.service.stop()


def test_callers_do_not_notice_that_a_version_takes_over_and_goes_back(swap: Swap) -> None:
    stop = threading.Event()
    answers: list[str] = []
    numbers = iter(range(100_000))

    def caller() -> None:
        while not stop.is_set():
            answers.append(swap.answer(next(numbers)))
            stop.wait(0.1)

    def wait_for_answers(line: str) -> None:
        before = answers.count(line)
        swap.service.wait_until(lambda: answers.count(line) > before + 10)

    with ThreadPoolExecutor(CALLERS) as callers:
        running = [callers.submit(caller) for _ in range(CALLERS)]
        try:
            wait_for_answers(swap.old)
            assert "is staged" in swap.command("stage", swap.archive)
            assert "reads 100 %" in swap.command("shadow", swap.new, "100")
            wait_for_answers(swap.old)
            swap.service.wait_until(lambda: f"{swap.new} has read" in swap.command("status"))
            assert "100.0% alike" in swap.command("status")
            assert "is active now" in swap.command("promote", swap.new)
            wait_for_answers(swap.new)
            assert "is active again" in swap.command("rollback", swap.service.algorithm)
            wait_for_answers(swap.old)
        finally:
            stop.set()
        for each in running:
            each.result()

    assert set(answers) == {swap.old, swap.new}
    assert set(swap.filed()) == {(line, line) for line in (swap.old, swap.new)}


def test_a_retired_version_leaves_its_answers_and_no_process(swap: Swap) -> None:
    kept = request_body()
    assert swap.service.insist(kept).status_code == 200
    assert f"{swap.old} is active" in swap.command("retire", swap.old)
    swap.promote()
    assert f"{swap.old} is gone" in swap.command("retire", swap.old)
    swap.service.wait_until(lambda: len(swap.service.workers.children()) == 1)
    (worker,) = swap.service.workers.children()
    assert "handwriting-next@%h" in worker.cmdline()
    assert swap.answer(1) == swap.new
    assert swap.service.post(kept).headers["Punctual-Bundle"] == swap.old
    assert f"no worker of {swap.old} lives" in swap.command("rollback", swap.service.algorithm)
    assert swap.answer(2) == swap.new


def test_who_has_seen_enough_of_the_status_is_told_no_error(swap: Swap) -> None:
    with swap.begin("status") as status:
        assert status.stdout
        assert status.stderr
        status.stdout.close()
        assert status.stderr.read() == ""
    assert status.returncode == 0


def test_what_is_promoted_is_served_again_after_a_restart_of_everything(swap: Swap) -> None:
    swap.promote()
    end(swap.service.workers)
    swap.service.redis.client.flushall()
    swap.service.start_workers(1)
    swap.service.wait_until(lambda: swap.answer(1) == swap.new)
    assert "promoted" in swap.command("status")
    # And when Redis alone has lost everything.
    swap.service.redis.client.flushall()
    swap.service.wait_until(lambda: swap.answer(2) == swap.new)
    swap.service.wait_until(lambda: swap.answer(3) == swap.new)
