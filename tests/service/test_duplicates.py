"""One uuid is computed at most once, however many copies arrive, wherever and whenever."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.service_process import Service, another_image, request_body
from workers.contract.keys import LINE


def test_two_hundred_copies_at_once_are_one_execution(service: Service) -> None:
    body = request_body()
    service.wait_until_idle()
    before = service.executions()
    with ThreadPoolExecutor(200) as callers:
        responses = list(callers.map(lambda _: service.insist(body), range(200)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert service.executions() == before + 1
    # Whoever comes when it is done joins nobody: where callers get little of the machine, many do.
    sources = Counter(response.headers["Punctual-Source"] for response in responses)
    assert sources.pop("computed") == 1, sources
    assert sources.keys() <= {"joined", "kept"}


def test_copies_over_several_front_processes_are_one_execution(tmp_path) -> None:
    several = Service(tmp_path, light=True, WEB_PROCESSES="3")
    try:
        several.start(concurrency=1)
        body = request_body()
        with ThreadPoolExecutor(60) as callers:
            responses = list(callers.map(lambda _: several.insist(body), range(60)))
        assert {response.status_code for response in responses} == {200}
        assert several.executions() == 1
    finally:
        several.stop()


def test_a_finished_uuid_publishes_no_message(service: Service) -> None:
    body = request_body()
    service.post(body)
    service.wait_until_idle()
    with service.redis.client.monitor() as commands:
        statuses = {service.post(body).status_code for _ in range(20)}
        service.redis.client.echo("the end")
        told = []
        for command in commands.listen():
            told.append(command["command"])
            if told[-1] == "ECHO the end":
                break
    assert statuses == {200}
    assert len([text for text in told if text.startswith("EVALSHA")]) >= 20
    published = [text for text in told if text.startswith(("LPUSH", f"ZADD {service.key(LINE)}"))]
    assert [text for text in published if "workers.read" in text] == []


def test_many_distinct_images_all_get_their_own_answer(service: Service) -> None:
    bodies = [request_body(image=another_image(seed)) for seed in range(100)]
    service.wait_until_idle()
    before = service.executions()
    with ThreadPoolExecutor(20) as callers:
        responses = list(callers.map(service.insist, bodies))
    assert [r.json()["esun_uuid"] for r in responses] == [body["esun_uuid"] for body in bodies]
    assert service.executions() == before + 100


def test_copies_with_a_conflicting_image_among_them(service: Service) -> None:
    """Whichever image came first is served; the copies of the other are told so."""
    name = uuid.uuid4().hex
    bodies = [request_body(esun_uuid=name, image=another_image(n % 2)) for n in range(40)]
    service.wait_until_idle()
    before = service.executions()
    with ThreadPoolExecutor(40) as callers:
        responses = list(callers.map(service.insist, bodies))
    statuses = [[r.status_code for r in responses[side::2]] for side in (0, 1)]
    assert sorted(set(map(tuple, statuses))) == [(200,) * 20, (422,) * 20]
    assert service.executions() == before + 1
