"""Hostile files sent to a running service: it answers for each of them, and goes on serving."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.hostile_files import FILES
from tests.service_process import Service, request_body


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, light=True, JOBS=f"{folder}/jobs") as running:
        running.start()
        yield running


def test_every_file_has_its_end_and_costs_no_worker(service: Service) -> None:
    inline = {hostile: hostile.make() for hostile in FILES if hostile.kind != "upload"}
    before = {process.pid for process in service.worker_processes()}
    told = {}
    for number, (hostile, data) in enumerate(inline.items()):
        url = f"{service.url}/jobs/hostile-{number}"
        body = {"input": {hostile.kind: base64.b64encode(data).decode()}}
        assert requests.put(url, json=body, timeout=30).status_code == 202, hostile.name
        told[url] = hostile

    def ended(url: str) -> dict[str, Any]:
        job: dict[str, Any] = requests.get(url, timeout=30).json()
        return job if job["ended_at"] else {}

    service.wait_until(lambda: all(map(ended, told)))
    for url, hostile in told.items():
        job, lines = ended(url), requests.get(f"{url}/result", timeout=30).text.splitlines()
        # As many bytes as these may have here, zeros are not over the limits of an archive.
        if hostile.problem and job["problem"]:
            assert hostile.problem in job["problem"]["detail"], hostile.name
        else:
            assert len(lines) == job["counts"]["total"] > 0, hostile.name
        assert all(
            "answer" in (line := json.loads(one)) or line["error"]["detail"] for one in lines
        )
    assert {process.pid for process in service.worker_processes()} == before
    assert service.insist(request_body()).status_code == 200
