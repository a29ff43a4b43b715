"""The whole service for a test: Redis, Celery workers and gunicorn, as processes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psutil
import requests
from PIL import Image, ImageDraw

from deploy import programs
from tests.redis_process import RedisProcess, free_port
from workers.contract import keys
from workers.contract.keys import algorithm_of, of

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_BUNDLE = ROOT / "bundles" / "handwriting"
SAMPLE: dict[str, Any] = json.loads((ROOT / "docs" / "sample-request.json").read_text())
SAMPLE_ANSWER = "德"

# How long a machine on which other files are tested may take for what else takes seconds.
_WITHIN_S = 150

_WORK = (keys.INFERENCE, keys.LINE, keys.LATE, keys.PARTIAL)

# An idle connection would delay the graceful stop of the front.
_NO_KEEP_ALIVE = {"Connection": "close"}


class Service:
    """A service of the test's own. Keyword arguments become environment variables.

    ``light``: of the default bundle it has one member, which loads in a fifth of the time.
    """

    def __init__(
        self, folder: Path, *, app: str = "workers", light: bool = False, **environment: str
    ) -> None:
        if light:
            # Like the engines' cache, beside the folders of the other tests of this run.
            bundle = folder.parent / "light-bundle"
            environment["BUNDLE"] = str(bundle if bundle.exists() else bundle_with(bundle))
        self.folder = folder
        self.redis = RedisProcess(folder / "redis")
        # Callers' and, for whom a storm never keeps out, another one.
        self.port, self.inside = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._app = app
        self._bundle = Path(environment.get("BUNDLE", DEFAULT_BUNDLE))
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "STATE": str(folder),
            "REDIS_URL": self.redis.url,
            "WEB_BIND": f"127.0.0.1:{self.port},127.0.0.1:{self.inside}",
            # Most tests send one image under many uuids and count how often it was computed.
            "PREDICTION_CACHE": "false",
            # And ask for its answer, however busy the machine is; who is in a hurry says so.
            "ANSWER_WITHIN_MS": "10000",
            "ENGINE_CACHE": str(folder.parent / "engine-cache"),
            **environment,
        }
        self._log = (folder / "service.log").open("ab")
        self._processes: list[psutil.Popen] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, concurrency: int = 2) -> None:
        """Start all and wait until ready."""
        self.redis.start()
        self.start_front()
        self.start_workers(concurrency)
        self.wait_until_ready()
        # Asked of Redis: with accounts /readyz tells no numbers.
        beats = self.key(keys.WORKERS)
        self.wait_until(lambda: self.redis.client.zcard(beats) == concurrency)

    def start_front(self) -> None:
        """Start gunicorn and wait until it is alive."""
        self.spawn_front()
        self.wait_for("/livez", 200)

    def spawn_front(self) -> psutil.Popen:
        """Start gunicorn."""
        self.front = self.spawn(programs.web(self._environment))
        return self.front

    def start_workers(self, concurrency: int = 2) -> psutil.Popen:
        """Start a Celery worker of so many processes."""
        self.workers = self._start_workers(concurrency, name=f"workers-{uuid.uuid4().hex}")
        return self.workers

    def start_workers_of(self, algorithm: str, bundle: Path) -> psutil.Popen:
        """Start a Celery worker of one process for another algorithm."""
        name = f"workers-{algorithm}"
        return self._start_workers(1, name=name, algorithm=algorithm, bundle=str(bundle))

    def _start_workers(self, concurrency: int, **own: str) -> psutil.Popen:
        environment = {**self._environment, "WORKER_PROCESSES": str(concurrency)}
        return self.spawn(programs.workers(environment, app=self._app, log_level="INFO", **own))

    def spawn(self, program: programs.Program) -> psutil.Popen:
        """Start a program beside the others."""
        process = psutil.Popen(
            program.command,
            cwd=ROOT,
            env={**self._environment, **program.environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End everything, so that nothing is left running."""
        for process in reversed(self._processes):
            end(process)
        self.redis.stop()
        self._log.close()

    def wait_for(self, path: str, status: int, within_s: float = _WITHIN_S) -> requests.Response:
        """Poll a path until it answers with the status."""
        until = time.monotonic() + within_s
        while True:
            with contextlib.suppress(requests.RequestException):
                response = self.get(path)
                if response.status_code == status:
                    return response
            if time.monotonic() > until:
                raise TimeoutError(f"{path} is not {status}; see {self.folder}/service.log")
            time.sleep(0.05)

    def wait_until_ready(self, within_s: float = _WITHIN_S) -> None:
        """Poll /readyz."""
        self.wait_for("/readyz", 200, within_s)

    def wait_until(self, holds: Callable[[], bool], within_s: float = _WITHIN_S) -> None:
        """Poll until something holds."""
        until = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError(f"not within {within_s} s; see {self.folder}/service.log")
            time.sleep(0.05)

    def wait_until_idle(self) -> None:
        """Poll until nothing is left to do, not even what nobody waits for, and nothing begins."""
        begun = -1
        while self.executions() != begun:
            begun = self.executions()
            self.wait_until(lambda: not self.redis.client.exists(*map(self.key, _WORK)))
            # A message in the hands of a worker's parent is in no queue and has not begun.
            time.sleep(0.3)

    def get(self, path: str) -> requests.Response:
        """GET a path."""
        return requests.get(self.url + path, headers=_NO_KEEP_ALIVE, timeout=5)

    def post(
        self, body: Any = None, timeout_s: float = 40, algorithm: str = "", **headers: str
    ) -> requests.Response:
        """POST /inference; a dict is sent as JSON, bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.url}/inference/{algorithm}".rstrip("/")
        return requests.post(url, data, headers=headers | _NO_KEEP_ALIVE, timeout=timeout_s)

    def insist(self, body: Any, algorithm: str = "", **headers: str) -> requests.Response:
        """POST as patient clients do, who send again what was refused.

        On a machine that is busy with other tests no worker may be ready for a moment.
        """
        until = time.monotonic() + _WITHIN_S
        headers = {"Prefer": "wait=20", **headers}
        while (reply := self.post(body, algorithm=algorithm, **headers)).status_code == 503:
            assert time.monotonic() < until, reply.text
            time.sleep(float(reply.headers["Retry-After"]))
        return reply

    @property
    def algorithm(self) -> str:
        """What the bundle is called."""
        return algorithm_of(self.line)

    @cached_property
    def line(self) -> str:
        """Its name and version."""
        manifest = json.loads((self._bundle / "manifest.json").read_text())
        return f"{manifest['name']}/{manifest['version']}"

    def key(self, name: str) -> str:
        """One of the keys of the line that is served."""
        return of(self.line, name)

    def executions(self) -> int:
        """How many images the workers have computed."""
        return int(self.redis.client.hget(self.key(keys.COUNTS), "executions") or 0)

    def worker_processes(self) -> list[psutil.Process]:
        """The processes that hold an ensemble."""
        return self.workers.children()

    def log(self) -> str:
        """All that the processes have printed."""
        return (self.folder / "service.log").read_text()


def end(process: psutil.Popen) -> None:
    """SIGTERM, and SIGKILL for what is left after that."""
    family = [process]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += process.children(recursive=True)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGCONT)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=15)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()


def bundle_with(folder: Path, **fields: str) -> Path:
    """The first member of the default bundle, whose manifest says something else."""
    manifest = json.loads((DEFAULT_BUNDLE / "manifest.json").read_text())
    del manifest["members"][1:], manifest["calibration"]["exits"]
    for file in (manifest["members"][0]["graph"], *(each["image"] for each in manifest["golden"])):
        (folder / file["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEFAULT_BUNDLE / file["path"], folder / file["path"])
    (folder / "manifest.json").write_text(json.dumps(manifest | fields))
    return folder


def request_body(**fields: Any) -> dict[str, Any]:
    """The sample request under a uuid of its own."""
    return {**SAMPLE, "esun_uuid": uuid.uuid4().hex, **fields}


def another_image(seed: int = 0) -> str:
    """A small picture unlike the sample, base64."""
    image = Image.new("RGB", (60 + seed % 40, 67), "white")
    ImageDraw.Draw(image).line((5, 5 + seed % 50, 55, 60), fill="black", width=4)
    image.putpixel((0, 0), (seed % 256, seed // 256 % 256, seed // 65536 % 256))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def proof(timestamp: int, email: str, salt: str) -> str:
    """The server_uuid of the contest's contract."""
    return hashlib.sha256(f"{email}{timestamp}{salt}".encode()).hexdigest()
