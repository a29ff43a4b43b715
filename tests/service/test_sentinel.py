"""Redis behind three sentinels: its master is killed under load, and nobody's answer is lost."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import redis
import requests

from tests.redis_process import RedisProcess
from tests.service_process import Service, request_body

NAME = "punctual"
RATE_PER_S, LIMIT_S, TRIES = 10, 1.0, 3
DOWN_AFTER_MS = 1_000
RECOVERY_S = 5.0


class SentinelProcess(RedisProcess):
    """A sentinel, which writes what it learns into its configuration."""

    def __init__(self, folder: Path, master: RedisProcess) -> None:
        super().__init__(folder)
        self._master = master

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        configuration = self.folder / "sentinel.conf"
        configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {NAME} 127.0.0.1 {self._master.port} 2\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {NAME} 5000\n"
        )
        self._process = subprocess.Popen(
            [self.program(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL
        )

    def master_port(self) -> int:
        """Whom it takes for the master; 0: it does not answer yet."""
        with contextlib.suppress(redis.RedisError):
            return int(self.client.sentinel_get_master_addr_by_name(NAME)[1])
        return 0

    def sees(self, others: int) -> bool:
        """Whether it knows so many other sentinels and one replica, so that it can act."""
        with contextlib.suppress(redis.RedisError):
            known: Any = self.client.sentinel_master(NAME)
            return (known["num-other-sentinels"], known["num-slaves"]) == (others, 1)
        return False


class House:
    """A service, its Redis, a replica of that, and three sentinels."""

    def __init__(self, folder: Path) -> None:
        self.master, self.replica = RedisProcess(folder / "one"), RedisProcess(folder / "two")
        self.sentinels = [SentinelProcess(folder / f"sentinel-{n}", self.master) for n in range(3)]
        urls = ";".join(f"sentinel://127.0.0.1:{each.port}" for each in self.sentinels)
        self.service = Service(folder, REDIS_URL=f"{urls}/0?master_name={NAME}")

    def start(self) -> None:
        for each in (self.master, self.replica):
            each.start()
        self.replica.client.replicaof("127.0.0.1", self.master.port)
        for sentinel in self.sentinels:
            sentinel.start()
        self.service.wait_until(lambda: all(each.sees(2) for each in self.sentinels))
        self.service.start_front()
        self.service.start_workers(2)
        self.service.wait_until_ready()

    def stop(self) -> None:
        self.service.stop()
        for each in (*self.sentinels, self.replica, self.master):
            each.stop()

    def executions(self) -> Counter[str]:
        """How often each uuid was read, as the workers' log says."""
        lines = self.service.log().splitlines()
        done = [
            line.split("[")[-1].split("]")[0]
            for line in lines
            if "] succeeded in" in line and "answered" in line
        ]
        return Counter(done)


class Try(NamedTuple):
    """When it began, and whether it was answered."""

    began_s: float
    answered: bool


class Callers:
    """A new uuid every tenth of a second; each comes again every second until it is answered."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(80)
        self.tries: dict[str, list[Try]] = {}
        self._feeder = threading.Thread(target=self._feed)
        self._feeder.start()

    def stop(self) -> None:
        self._over.set()
        self._feeder.join()
        self._pool.shutdown()

    def _feed(self) -> None:
        while not self._over.wait(1 / RATE_PER_S):
            self._pool.submit(self._call, request_body())

    def _call(self, body: dict[str, Any]) -> None:
        tries = self.tries[body["esun_uuid"]] = list[Try]()
        while len(tries) < 60:
            began_s = time.monotonic()
            answered = False
            with contextlib.suppress(requests.RequestException):
                reply = self._service.post(body, timeout_s=LIMIT_S, Prefer="wait=0.9")
                answered = reply.status_code == 200
            tries.append(Try(began_s, answered))
            if answered:
                return
            time.sleep(max(0.0, began_s + LIMIT_S - time.monotonic()))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    running = House(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_when_the_master_dies_its_replica_goes_on_under_load(house: House) -> None:
    service = house.service
    bodies = [request_body() for _ in range(5)]
    answers = {body["esun_uuid"]: service.post(body).content for body in bodies}
    callers = Callers(service)
    try:
        service.wait_until(lambda: len(callers.tries) > RATE_PER_S)
        service.wait_until(lambda: service_offset(house.replica) >= service_offset(house.master))
        house.master.stop(signal.SIGKILL)
        new = house.replica
        service.wait_until(lambda: new.client.info("replication")["role"] == "master")
        service.wait_until(lambda: house.sentinels[0].master_port() == new.port)
        service.wait_until_ready(RECOVERY_S)
        back_s = time.monotonic()
        # Those who came then, and those who come now.
        time.sleep(TRIES * LIMIT_S)
    finally:
        callers.stop()

    assert all(tries[-1].answered for tries in callers.tries.values())
    since = {
        uuid: [each for each in tries if each.began_s >= back_s]
        for uuid, tries in callers.tries.items()
    }
    assert max(map(len, since.values())) <= TRIES
    for body in bodies:
        again = service.post(body)
        assert again.headers["Punctual-Source"] == "kept"
        assert again.content == answers[body["esun_uuid"]]
    executions = house.executions()
    assert {executions[uuid] for uuid in answers} == {1}
    # What the workers had in their hands when the master died: one each, and one on its way.
    twice = [uuid for uuid, count in executions.items() if count > 1]
    assert len(twice) <= 4, executions
    assert max(executions.values()) <= 2
    # Nobody came back by being started anew.
    assert service.front.is_running()
    assert service.workers.status() != psutil.STATUS_ZOMBIE


def service_offset(process: RedisProcess) -> int:
    """How far it has got in the history of its data."""
    return int(process.client.info("replication")["master_repl_offset"])
