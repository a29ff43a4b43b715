"""Peers: what each is told, and one of them started for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.capacity import Capacity
from bench.errors import TargetUnavailable
from bench.peer import PEERS, PeerServer
from bench.peers.reader import Settings, reply
from bench.pictures import Pictures
from bench.scenarios import duplicates
from deploy.run import ROOT
from tests.bench.conftest import make_load
from tests.bench.test_scenarios import options


def server(name: str, bundle: Path, tmp_path: Path) -> PeerServer:
    return PeerServer(name, bundle, "openvino", 20.4, 1_000, tmp_path / "cache")


def test_the_contests_design_computes_a_uuid_once_it_is_cached_and_leaves_nothing(
    tiny_bundle: Path, capacity: Capacity, tmp_path: Path
) -> None:
    pictures = Pictures.varied(tiny_bundle, 4)
    with server("flask-eager", tiny_bundle, tmp_path) as target:
        target.wait_until_ready(pictures.first)
        load = make_load(target, pictures, capacity)
        short = ("--connections", "2", "--seconds", "0.2")
        many = options(duplicates, "--requests", "12", "--uuids", "3", "--rate", "20", *short)
        (row,) = duplicates.measure(load, many).rows
        family = [each for part in ("redis", "server") for each in target.processes.family(part)]
        state = target.state
    assert row["in time %"] == 100
    # Copies that arrive while the first is computed are computed too.
    assert 3 <= row["executions"] <= 12
    assert row["finished uuids a core second"] > 0
    assert len(family) >= 4  # Redis, the peer, gunicorn and its processes
    assert not any(each.is_running() for each in family)
    assert not state.exists()


def test_a_peer_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    missing = server("flask-eager", tmp_path / "no bundle", tmp_path)
    with missing, pytest.raises(TargetUnavailable, match="server ended by itself"):
        missing.wait_until_ready(Pictures.varied(ROOT / "bundles" / "handwriting", 1).first)


def test_a_peer_is_told_how_many_it_can_answer_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = {
        "PEER_PORT": "1",
        "PEER_BUNDLE": "b",
        "PEER_ENGINE": "openvino",
        "PEER_WORKERS": "2",
        "PEER_LIMIT_MS": "1000",
        "PEER_ENGINE_MS": "40",
        "PEER_STATE": str(tmp_path),
        "PEER_REDIS_PORT": "2",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.backlog == 50
    assert settings.queue_ms == 960
    monkeypatch.setenv("PEER_ENGINE_MS", "3000")
    assert Settings().backlog == 2


def test_a_reply_has_the_four_fields() -> None:
    found = reply("a", "德")
    assert found["esun_uuid"] == "a"
    assert found["answer"] == "德"
    assert len(found["server_uuid"]) == 64
    assert isinstance(found["server_timestamp"], int)


def test_every_peer_is_a_file_that_says_how_it_was_tuned() -> None:
    for peer in PEERS.values():
        text = (ROOT / "bench" / "peers" / f"{peer.module}.py").read_text(encoding="utf-8")
        compile(text, peer.module, "exec")
        assert "Tuned: " in text
