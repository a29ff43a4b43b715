"""Redis answers, but as a replica, or not with what it is asked for: it is told by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forwarder import Forwarder
from tests.redis_process import RedisProcess
from tests.service_process import Service, another_image, request_body

RECOVERY_S = 5.0
READ_ONLY = "urn:punctual:problem:queue-read-only"


class Pair:
    """A service whose Redis has a replica, and whose address can be made to lead to that."""

    def __init__(self, folder: Path) -> None:
        self.replica = RedisProcess(folder / "replica")
        # Where it leads to is known when the service has its Redis.
        self.address = Forwarder(0)
        url = f"redis://127.0.0.1:{self.address.port}/0"
        self.service = Service(folder, light=True, REDIS_URL=url)
        self.master = self.service.redis
        self.address.target = self.master.port

    def start(self) -> None:
        self.replica.start()
        self.service.start()
        self.follow(self.replica, self.master)

    def stop(self) -> None:
        self.service.stop()
        self.address.close()
        self.replica.stop()

    def follow(self, replica: RedisProcess, master: RedisProcess) -> None:
        """Make one the replica of the other, and wait until it has its data."""
        replica.client.replicaof("127.0.0.1", master.port)
        self.service.wait_until(
            lambda: replica.client.info("replication")["master_link_status"] == "up"
        )

    def demote(self) -> None:
        """Exchange the two, with nothing lost on the way. Connections stay with the old master."""
        written = offset(self.master)
        self.service.wait_until(lambda: offset(self.replica) >= written)
        self.replica.client.replicaof("NO", "ONE")
        self.follow(self.master, self.replica)


def offset(redis: RedisProcess) -> int:
    """How far a Redis has got in the history of its data."""
    return int(redis.client.info("replication")["master_repl_offset"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    running = Pair(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_front_and_workers_follow_the_address_to_the_new_master(pair: Pair) -> None:
    kept = request_body()
    assert pair.service.insist(kept).status_code == 200
    pair.address.target = pair.replica.port

    pair.demote()

    assert pair.service.post(kept).headers["Punctual-Source"] == "kept"
    fresh = request_body(image=another_image(1))
    pair.service.wait_until(lambda: pair.service.post(fresh).status_code == 200, RECOVERY_S)
    pair.service.wait_until_ready(RECOVERY_S)
    new = pair.replica.client
    pair.service.wait_until(lambda: bool(new.pubsub_channels("punctual:*:front:*")), RECOVERY_S)
    assert pair.service.insist(request_body(image=another_image(2))).status_code == 200
    # Nobody went over to the new master by being restarted.
    assert pair.service.front.is_running()
    assert pair.service.workers.is_running()
    assert len(pair.service.worker_processes()) == 2


def test_a_replica_gives_kept_answers_and_is_named(pair: Pair) -> None:
    kept = request_body()
    assert pair.service.insist(kept).status_code == 200

    pair.demote()

    pair.service.wait_for("/readyz", 503)
    assert pair.service.get("/readyz").json()["type"] == READ_ONLY
    assert pair.service.post(kept).headers["Punctual-Source"] == "kept"
    refused = pair.service.post(request_body(image=another_image(1)))
    assert refused.status_code == 503
    assert refused.json()["type"] == READ_ONLY
    assert refused.headers["Retry-After"] == "1"
    assert "read-only replica" in refused.json()["detail"]
    conflict = pair.service.post({**kept, "image": another_image(1)})
    assert conflict.json()["type"] == "urn:punctual:problem:uuid-conflict"


def test_too_few_replicas_are_named(pair: Pair) -> None:
    kept = request_body()
    assert pair.service.insist(kept).status_code == 200
    pair.master.client.config_set("min-replicas-to-write", 2)

    refused = pair.service.post(request_body(image=another_image(1)))

    assert refused.json()["type"] == READ_ONLY
    assert "too few replicas" in refused.json()["detail"]
    assert pair.service.post(kept).headers["Punctual-Source"] == "kept"
    outage = "ERROR web.outage problem=queue-read-only cause=NOREPLICAS times=1: "
    assert outage in pair.service.log()
    account = "status=503 source=none type=queue-read-only"
    pair.service.wait_until(lambda: account in pair.service.log())
    sample = (
        f'punctual_responses_total{{algorithm="{pair.service.algorithm}",'
        'source="none",status="503",type="queue-read-only"} 1.0'
    )
    assert sample in pair.service.get("/metrics").text

    pair.master.client.config_set("min-replicas-to-write", 0)
    pair.service.wait_until_ready(RECOVERY_S)
    pair.service.wait_until(lambda: "Redis serves again" in pair.service.log(), RECOVERY_S)
