"""Jobs in a running service: whoever is killed, every image has one result."""

from __future__ import annotations

import base64
import csv
import io
import json
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.service_process import ROOT, SAMPLE_ANSWER, Service, another_image, request_body
from workers.contract.files import Files

# So many that a fast machine is not done with them when somebody dies.
JOBS, IMAGES = 10, 30


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    # So that what a killed worker had in hand is soon taken over.
    settings = {"JOBS": f"{folder}/jobs", "TASK_LIMIT_MS": "3000"}
    with Service(folder, **settings) as running:
        running.start()
        yield running


def order(service: Service, first: int, count: int = IMAGES) -> str:
    """A job of so many images, all of them unlike each other."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(first, first + count):
            archive.writestr(f"{number}.png", base64.b64decode(another_image(number)))
    url = f"{service.url}/jobs/{uuid.uuid4().hex}"
    body = {"input": {"zip": base64.b64encode(buffer.getvalue()).decode()}}
    # Where the disk is busy, and where Redis has just lost all it held, a client is to send the
    # same again.
    until = time.monotonic() + 30
    while (reply := requests.put(url, json=body, timeout=30)).status_code == 503:
        assert time.monotonic() < until, reply.text
        time.sleep(float(reply.headers["Retry-After"]))
    assert reply.status_code == 202, reply.text
    return url


def every_job(service: Service) -> list[dict[str, Any]]:
    reply = requests.get(f"{service.url}/jobs?limit=100", timeout=30).json()
    assert reply["next"] is None
    return list(reply["jobs"])


def job(url: str) -> dict[str, Any]:
    told: dict[str, Any] = requests.get(url, timeout=30).json()
    return told


def done(url: str) -> int:
    counts = job(url)["counts"]
    return int(counts["succeeded"] + counts["failed"])


def results(url: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in requests.get(f"{url}/result", timeout=30).text.splitlines()
    ]


def kill(process: psutil.Popen) -> None:
    """All of a program at once, without a word."""
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=30)


def test_whoever_is_killed_every_image_has_one_result(service: Service) -> None:
    """Given ten jobs at each death; the feeder is a part of the workers' processes."""

    def a_process() -> None:
        service.worker_processes()[0].send_signal(signal.SIGKILL)

    def the_workers() -> None:
        kill(service.workers)
        service.start_workers()

    def the_front() -> None:
        kill(service.front)
        service.start_front()

    def redis() -> None:
        service.redis.stop(signal.SIGTERM)
        service.redis.start()

    def redis_with_all_it_holds() -> None:
        service.redis.stop(signal.SIGKILL)
        service.redis.start()
        service.redis.client.flushall()

    deaths: list[Callable[[], None]] = [a_process, the_workers, the_front]
    deaths += [redis, redis_with_all_it_holds]
    images = JOBS * IMAGES
    for death, dies in enumerate(deaths):
        firsts = range(death * images, (death + 1) * images, IMAGES)
        urls = [order(service, first) for first in firsts]
        service.wait_until(lambda urls=urls: any(map(done, urls)))
        assert sum(map(done, urls)) < images
        dies()
        service.wait_until(lambda urls=urls: all(job(url)["ended_at"] for url in urls))
        for first, url in zip(firsts, urls, strict=True):
            found = results(url)
            assert [line["id"] for line in found] == [
                f"{first + each}.png" for each in range(IMAGES)
            ]
            assert [line for line in found if "answer" not in line] == [], death
            assert job(url)["state"] == "succeeded"
    with Files(service.folder / "jobs").reading() as database:
        (attempts,) = database.execute("SELECT SUM(attempts) FROM item").fetchone()
    # A killed process costs what it had in hand: one of them alone, two together, and again two
    # whenever the workers could not tell Redis.
    assert attempts <= len(deaths) * images + 7


def test_a_caller_is_answered_beside_a_job_which_is_cancelled_soon(service: Service) -> None:
    service.wait_until_ready()
    url = order(service, 10_000, 400)
    service.wait_until(lambda: done(url) > 0)
    body = request_body()
    assert service.insist(body).json()["answer"] == SAMPLE_ANSWER
    assert requests.delete(url, timeout=30).status_code == 202
    service.wait_until(lambda: job(url)["ended_at"] is not None)
    read = done(url)
    assert (job(url)["state"], read < 400) == ("cancelled", True)
    found = results(url)
    assert sum("answer" in line for line in found) == read
    assert {line["error"]["status"] for line in found if "error" in line} == {410}


def test_the_client_reads_a_folder_and_goes_on_after_ctrl_c(
    service: Service, tmp_path: Path
) -> None:
    # So many that the signal comes before they are read.
    count = 300
    folder, out = tmp_path / "images", tmp_path / "read.csv"
    (folder / "deeper").mkdir(parents=True)
    for number in range(count):
        image = base64.b64decode(another_image(20_000 + number))
        (folder / "deeper" / f"{number}.png").write_bytes(image)
    (folder / "bad.jpg").write_bytes(b"no picture")
    command = [sys.executable, "-m", "client", str(folder), "--url", service.url, "--out", str(out)]
    known = len(every_job(service))

    client = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    service.wait_until(lambda: len(every_job(service)) > known)
    client.send_signal(signal.SIGINT)
    assert "goes on" in client.communicate(timeout=60)[1]

    again = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (again.returncode, again.stderr.strip()) == (2, f"succeeded: {count} read, 1 not")
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == count + 1
    assert [row["id"] for row in rows if row["error"]] == ["bad.jpg"]
    assert len(every_job(service)) == known + 1
