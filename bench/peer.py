"""Peers as targets: which there are, and how one is started."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.environments import python_for
from bench.pictures import Picture
from bench.target import StartedTarget
from deploy.ports import free_port
from deploy.run import ROOT, redis_server


@dataclass(frozen=True)
class Peer:
    """A module of bench/peers: its requirements file, and how its users call TensorFlow."""

    module: str
    requirements: str | None
    habit: str = "keras-predict"
    redis: bool = False


# Flask, gunicorn and Redis are ours too.
PEERS = {
    "flask-eager": Peer("flask_eager", None, habit="keras-call", redis=True),
    "fastapi-sync": Peer("fastapi_sync", "fastapi"),
    "fastapi-async": Peer("fastapi_async", "fastapi"),
    "litserve": Peer("litserve", "litserve"),
    "mosec": Peer("mosec", "mosec"),
    "bentoml": Peer("bentoml", "bentoml"),
    "pytriton": Peer("pytriton", "pytriton"),
}


class PeerServer(StartedTarget):
    """One peer with one engine.

    ``engine_ms`` is what an answer costs; a peer that can refuse is told how many it can give
    within ``limit_ms``.
    """

    def __init__(
        self, name: str, bundle: Path, engine: str, engine_ms: float, limit_ms: int, cache: Path
    ) -> None:
        self._peer = PEERS[name]
        self._cache = cache
        self._workers = len(os.sched_getaffinity(0))
        port, redis_port = free_port(), free_port()
        redis_url = f"redis://127.0.0.1:{redis_port}/0" if self._peer.redis else None
        super().__init__(f"{name}, {engine}", f"http://127.0.0.1:{port}", redis_url)
        self._redis_port = redis_port
        self._environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.state),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PEER_PORT": str(port),
            "PEER_BUNDLE": str(bundle.resolve()),
            "PEER_ENGINE": engine,
            "PEER_WORKERS": str(self._workers),
            "PEER_LIMIT_MS": str(limit_ms),
            "PEER_ENGINE_MS": str(max(1, round(engine_ms))),
            "PEER_STATE": str(self.state),
            "PEER_REDIS_PORT": str(redis_port),
        }

    def start(self) -> None:
        """Make its environment where that is missing, then start it."""
        python = python_for(self._peer.requirements, self._cache)
        if self._peer.redis:
            where = ["--bind", "127.0.0.1", "--port", str(self._redis_port)]
            keep = ["--dir", str(self.state), "--save", "", "--loglevel", "warning"]
            self.processes.start("redis", [redis_server(), *where, *keep], self._environment)
        module = f"bench.peers.{self._peer.module}"
        self.processes.start("server", [str(python), "-m", module], self._environment)

    def executions(self) -> int | None:
        """Counted by the peer's own ensembles."""
        path = self.state / "executions"
        return path.stat().st_size if path.exists() else 0

    def front_bytes(self) -> int | None:
        """A peer's front and engine are mostly one; this is all of it."""
        return self.processes.resident_bytes("server")

    def _answers(self, picture: Picture) -> bool:
        """Not before every worker is loaded."""
        loaded = self.state / "loaded"
        everybody = loaded.exists() and loaded.stat().st_size >= self._workers
        return everybody and super()._answers(picture)
