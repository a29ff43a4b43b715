"""Every scenario, a few calls long, against a server that a test has written."""

from __future__ import annotations

import base64
import io
import json
import multiprocessing
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure

from bench.capacity import Capacity
from bench.errors import BenchError
from bench.load import Load, Measured
from bench.pictures import Pictures
from bench.scenarios import (
    accounts,
    beside,
    burst,
    duplicates,
    evidence,
    flood,
    memory,
    panels,
    soak,
    steady,
    storm,
    swap,
    table,
    uploads,
)
from model.errors import ImageUnreadable
from model.image import decode
from tests.bench.conftest import make_load
from tests.bench.scripted import BROKEN, Behaviour, Script, ScriptedServer

Measure = Callable[..., dict[str, Any]]


def answer(_body: dict[str, Any], _copy: int) -> Script:
    return Script(Punctual_Members="5/5", Server_Timing="queue;dur=1, compute;dur=7")


def options(scenario: ModuleType, *arguments: str) -> Namespace:
    parser = ArgumentParser()
    scenario.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def measure(pictures: Pictures, capacity: Capacity) -> Callable[..., Measured]:
    def run(scenario: ModuleType, behaviour: Behaviour, *arguments: str) -> Measured:
        with ScriptedServer(behaviour) as server:
            load = make_load(server.target, pictures, capacity)
            found: Measured = scenario.measure(load, options(scenario, *arguments))
        for row in found.rows:
            assert set(scenario.KEYS) | set(scenario.COMPARED) <= set(row)
        scenario.draw(Figure(), {"scripted": found})
        return found

    return run


def test_steady(measure: Callable[..., Measured]) -> None:
    (row,) = measure(steady, answer, "--requests", "5", "--rate", "100").rows
    assert row["uuids"] == 5
    assert row["in time %"] == 100
    assert row["accuracy %"] == 100
    assert row["members"] == 5
    assert row["engine p50 ms"] == 7
    assert row["p99 / bare"] == row["p99 ms"] / 20


def test_storm_tells_when_answers_are_full_again(measure: Callable[..., Measured]) -> None:
    arguments = ("--levels", "0.5", "1", "--seconds", "0.1", "--calm", "5")
    slow, fast = measure(storm, answer, *arguments).rows
    assert (slow["uuids"], fast["uuids"]) == (5, 10)
    assert (slow["uuids/s"], fast["uuids/s"]) == (50, 100)
    assert slow["answered/s"] == slow["full/s"] == pytest.approx(50)
    assert slow["full again after s"] == 0


def test_storm_waits_for_a_row_of_full_answers(measure: Callable[..., Measured]) -> None:
    """The first three answers of the calm are by fewer members."""
    seen: list[str] = []

    def behaviour(body: dict[str, Any], _copy: int) -> Script:
        seen.append(body["esun_uuid"])
        return Script(Punctual_Members="1/5" if len(seen) <= 5 + 3 else "5/5")

    arguments = ("--levels", "0.5", "--seconds", "0.1", "--calm", "5")
    (row,) = measure(storm, behaviour, *arguments).rows
    assert row["full/s"] == 0
    assert row["full again after s"] == pytest.approx(0.3)


def test_storm_ends_without_recovery(measure: Callable[..., Measured]) -> None:
    arguments = ("--levels", "1", "--seconds", "0.1", "--calm", "0.5")
    (row,) = measure(storm, lambda _body, _copy: Script(503, {}), *arguments).rows
    assert row["answered/s"] == 0
    assert row["refused"] == 10
    assert row["no reply"] == 0
    assert row["full again after s"] is None


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler here: apt install gcc")
def test_flood(measure: Callable[..., Measured]) -> None:
    """Given that every fourth copy is answered, and of the others one breaks its connection."""
    asked: list[str] = []

    def behaviour(body: dict[str, Any], _copy: int) -> Script:
        decode(base64.b64decode(body["image"]), 32, 32)
        if "-" in body["esun_uuid"]:  # no calm one
            asked.append(body["image"])
        scripts = (Script(), BROKEN, Script(504, {}), Script(503, {}))
        return scripts[len(asked) % 4]

    (row,) = measure(flood, behaviour, "--rates", "20", "--seconds", "2").rows
    sent, answered = row["calls"], round(row["answered/s"] * 2)
    assert len(asked) == sent
    assert len(set(asked)) == 40
    assert answered > 40 / 4
    others = [row[name] for name in ("refused", "told late", "closed")]
    assert sum(others) + row["no reply"] == sent - answered
    assert min(others) >= sent // 4 - 1 - row["no reply"]
    assert row["other"] == 0


def test_burst(measure: Callable[..., Measured]) -> None:
    (row,) = measure(burst, answer, "--requests", "20").rows
    assert row["uuids"] == 20
    assert row["in time %"] == 100
    assert row["last after s"] * 1000 >= row["p50 ms"]


def test_burst_says_how_long_it_waits(pictures: Pictures, capacity: Capacity) -> None:
    with ScriptedServer(answer) as server:
        load = make_load(server.target, pictures, capacity)
        burst.measure(load, options(burst, "--requests", "1", "--wait", "7"))
    assert server.headers[0]["Prefer"] == "wait=7"


def test_duplicates_count_uuids_with_two_answers(measure: Callable[..., Measured]) -> None:
    def behaviour(_body: dict[str, Any], copy: int) -> Script:
        fields = {"server_uuid": "x", "server_timestamp": 1, "answer": "德" if copy < 2 else "美"}
        return Script(200, fields)

    short = ("--rate", "200", "--connections", "2", "--seconds", "0.1")
    (row,) = measure(duplicates, behaviour, "--requests", "20", "--uuids", "4", *short).rows
    assert row["copies"] == 20
    assert row["distinct uuids"] == 4
    assert row["uuids of two answers"] == 4
    assert row["finished uuids/s"] > 0
    assert row["executions"] is None  # this server does not count them


def test_table(measure: Callable[..., Measured]) -> None:
    arguments = ("--requests", "5", "--repeats", "2", "--within", "0.1")
    rows = measure(table, answer, *arguments).rows
    assert [row["calls are"] for row in rows] == ["serial", "concurrent", "random"]
    assert all(row["answered %"] == 100 for row in rows)
    assert all(row["end s"] > 0 for row in rows)
    serial = rows[0]
    # One after the other: the last ends when all have taken their time.
    assert serial["end s"] * 1000 >= 5 * serial["mean ms"] * 0.99


def test_memory_sends_few_images_under_many_uuids(pictures: Pictures, capacity: Capacity) -> None:
    with ScriptedServer(answer) as server:
        load: Load = make_load(server.target, pictures, capacity)
        arguments = ("--requests", "20", "--distinct", "4", "--rate", "200")
        (row,) = memory.measure(load, options(memory, *arguments)).rows
    assert len({body["esun_uuid"] for body in server.bodies}) == 24
    assert len({body["image"] for body in server.bodies}) == 4
    assert row["uuids"] == 20
    assert row["last / first"] > 0
    assert row["bytes a kept uuid"] is None  # nobody said where Redis is


def test_soak_kills_no_service_that_it_did_not_start(
    measure: Callable[..., Measured],
) -> None:
    with pytest.raises(BenchError, match="must start one of its own"):
        measure(soak, answer, "--minutes", "0.1")


def test_swap_changes_no_service_that_it_did_not_start(
    measure: Callable[..., Measured],
) -> None:
    with pytest.raises(BenchError, match="was not started here"):
        measure(swap, answer)


def test_accounts_needs_services_of_its_own(measure: Callable[..., Measured]) -> None:
    with pytest.raises(BenchError, match="services of its own"):
        measure(accounts, answer)


def test_evidence_troubles_no_logbook_that_it_did_not_start(
    measure: Callable[..., Measured],
) -> None:
    with pytest.raises(BenchError, match="EVIDENCE=folder"):
        measure(evidence, answer)


def test_beside_tells_what_a_job_costs_and_gets(
    measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Jobs:
        """A service in which each look finds five images more."""

        def open(self, request: Any, timeout: float) -> io.BytesIO:
            assert timeout
            asked.append(request.method)
            counts = {"succeeded": 5 * asked.count("GET"), "failed": 0}
            ended = {
                "ended_at": "now" if asked[-2:-1] == ["DELETE"] else None,
                "state": "cancelled",
            }
            return io.BytesIO(json.dumps({"counts": counts, **ended}).encode())

    monkeypatch.setattr(beside, "BROWSER", Jobs())
    arguments = ("--seconds", "0.1", "--share", "0.5", "--rush", "1", "--items", "3")
    calm, both, alone, rush = measure(beside, answer, *arguments, "--rounds", "2").rows
    assert (calm["uuids"], both["uuids"], alone["uuids"], rush["uuids"]) == (10, 10, 0, 10)
    assert calm["items/s"] is None
    assert calm["p99 / alone"] == 1
    assert alone["of jobs alone %"] == 100
    assert both["of what is left %"] == pytest.approx(2 * both["of jobs alone %"])
    assert rush["of what is left %"] is None
    assert asked.count("PUT") == asked.count("DELETE") == 4


def test_uploads_tells_what_a_large_file_costs(
    measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[Any, ...]] = []

    class Uploading:
        """It is whole at once, or never."""

        exitcode = 0

        def __init__(self, target: Any, args: tuple[Any, ...]) -> None:
            assert target is uploads.upload
            begun.append(args)

        def start(self) -> None:
            pass

        def join(self) -> None:
            pass

    context = SimpleNamespace(Process=Uploading)
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: context)
    arguments = ("--share", "0.5", "--megabytes", "1", "--pace", "10", "--rounds", "2")
    alone, beside_it = measure(uploads, answer, *arguments).rows
    assert (alone["uuids"], beside_it["uuids"]) == (10, 10)
    assert alone["p99 / alone"] == 1
    assert [args[1:] for args in begun] == [(1_000_000, 10_000_000)] * 2
    Uploading.exitcode = 1
    with pytest.raises(BenchError, match="the upload failed"):
        measure(uploads, answer, *arguments)


@pytest.mark.parametrize("file", soak.HOSTILE_FILES)
def test_hostile_files_of_the_soak_are_refused_unread(file: bytes) -> None:
    with pytest.raises(ImageUnreadable):
        decode(file, 64, 64)


# In the place of Prometheus: it finds the same in whatever it is asked.
FINDS = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        empty = "{missing}" and "{missing}" in self.path
        one = {{"metric": {{"algorithm": "x", "bundle": "x/1", "alertname": "A"}},
            "values": [[0, "1"], [1, "2"]]}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"data": {{"result": [] if empty else [one]}}}}).encode())
    def log_message(self, *_):
        pass

(address,) = (a.split("=")[1] for a in sys.argv if a.startswith("--web.listen-address"))
host, _, port = address.partition(":")
HTTPServer((host, int(port)), Api).serve_forever()
"""


@pytest.fixture
def prometheus(tmp_path: Path) -> Callable[[str], str]:
    def write(missing: str) -> str:
        program = tmp_path / "prometheus"
        program.write_text(f"#!{sys.executable}\n{FINDS.format(missing=missing)}")
        program.chmod(0o755)
        return str(program)

    return write


def test_panels_tells_what_each_expression_finds(
    measure: Callable[..., Measured], prometheus: Callable[[str], str]
) -> None:
    found = measure(panels, answer, "--seconds", "0.1", "--prometheus", prometheus(""))
    assert {(row["series"], row["points"]) for row in found.rows} == {(1, 2)}
    assert "Time to reply" in {row["panel"] for row in found.rows}
    assert "x p99" in found.series["panels"][1]["lines"]
    assert found.series["alerts that are pending"] == ["A"]


def test_a_panel_without_data_ends_the_run(
    measure: Callable[..., Measured], prometheus: Callable[[str], str]
) -> None:
    with pytest.raises(BenchError, match=r"punctual_takeovers_total.* finds nothing"):
        measure(panels, answer, "--seconds", "0.1", "--prometheus", prometheus("takeovers"))
    with pytest.raises(BenchError, match="apt install prometheus"):
        measure(panels, answer, "--prometheus", "no-such-program")
