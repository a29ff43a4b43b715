"""Two thousand requests that wait in vain leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.service_process import Service, request_body
from workers.contract.keys import RATES
from workers.contract.line import Rate

CALLERS = 2_000

# Connections to Redis that a front keeps at most; requests that come in turn may not need all.
POOL = 16

# A machine under load takes some of it to let them all in.
PATIENCE_S = 15

# What is believed of the stopped workers: so fast that two thousand could be answered in that time.
BELIEVED = Rate(images=1_000, image_bytes=1e9)


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Service]:
    """A service that believes in its workers for minutes after they have stopped."""
    with Service(tmp_path, light=True, READY_WITHIN_MS="300000", LEASE_MS="300000") as running:
        running.start()
        yield running


@pytest.fixture
def many_sockets() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def post(port: int, body: dict[str, Any], wait_s: float) -> int:
    """One request over a connection of its own; the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    head = (
        f"POST /inference HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        f"Prefer: wait={wait_s}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    writer.write(head.encode() + data)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(reply.split(b" ", 2)[1])


async def post_all(port: int, bodies: list[dict[str, Any]], wait_s: float) -> Counter[int]:
    return Counter(await asyncio.gather(*(post(port, body, wait_s) for body in bodies)))


def stop_workers(service: Service) -> None:
    """The parent too, which else puts others in their place."""
    service.workers.suspend()
    for process in service.worker_processes():
        process.suspend()


def believe_in_workers(service: Service) -> None:
    """Whatever a machine under load has made of them."""
    redis = service.redis.client
    rates = service.key(RATES)
    for worker in redis.hkeys(rates):
        redis.hset(rates, worker, str(BELIEVED))
    # The front looks five times a second.
    time.sleep(1)


def metric(service: Service, name: str) -> float:
    """One metric of the front."""
    (line,) = (x for x in service.get("/metrics").text.splitlines() if x.startswith(name + " "))
    return float(line.split()[1])


def footprint(service: Service) -> dict[str, int]:
    """What the front holds in Redis and in memory."""
    redis = service.redis.client
    front = service.front.children()[0]
    return {
        "clients": len(redis.client_list()),
        "channels": len(redis.pubsub_channels("punctual:*")),
        "memory_mb": front.memory_info().rss // 1_000_000,
        "files": front.num_fds(),
    }


@pytest.mark.usefixtures("many_sockets")
def test_two_thousand_timeouts_leave_nothing_behind(forgetful: Service) -> None:
    """Given stopped workers, when 2,000 requests time out at once and their callers give up."""
    stop_workers(forgetful)
    believe_in_workers(forgetful)
    # As many at once as later: the front holds by then what so many need.
    warm = [request_body() for _ in range(CALLERS)]
    asyncio.run(post_all(forgetful.port, warm, wait_s=PATIENCE_S))
    before = footprint(forgetful)

    bodies = [request_body() for _ in range(CALLERS)]
    assert asyncio.run(post_all(forgetful.port, bodies, wait_s=PATIENCE_S)) == {504: CALLERS}

    after = footprint(forgetful)
    assert after["clients"] <= before["clients"] + POOL
    assert after["channels"] == before["channels"] == 1
    assert after["files"] <= before["files"] + POOL + 2
    assert after["memory_mb"] <= before["memory_mb"] * 1.05

    forgetful.workers.resume()
    for process in forgetful.worker_processes():
        process.resume()
    # Who is told 504 on a busy machine sends again, as every caller does.
    for _ in range(3):
        statuses = asyncio.run(post_all(forgetful.port, bodies, wait_s=30))
        if statuses == {200: CALLERS}:
            break
    assert statuses == {200: CALLERS}


@pytest.mark.usefixtures("many_sockets")
def test_a_thousand_wait_and_the_next_caller_is_served_meanwhile(forgetful: Service) -> None:
    """Given 1,000 that wait for the stopped workers, a kept answer still comes at once."""
    kept = request_body()
    forgetful.post(kept)
    stop_workers(forgetful)
    believe_in_workers(forgetful)

    async def one_more() -> int:
        forgetful_waits = partial(metric, forgetful, "punctual_waiting")
        while await asyncio.to_thread(forgetful_waits) < 1_000:
            await asyncio.sleep(0.5)
        return await post(forgetful.port, kept, 0.5)

    async def all_of_them() -> list[Any]:
        bodies = [request_body() for _ in range(1_000)]
        return await asyncio.gather(post_all(forgetful.port, bodies, wait_s=PATIENCE_S), one_more())

    assert asyncio.run(all_of_them()) == [{504: 1_000}, 200]
