"""A target: a server that is measured, already running or started for it."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from redis import Redis

from bench.errors import TargetUnavailable
from bench.pictures import Picture
from bench.processes import Processes
from deploy.run import BROWSER

_READY_WITHIN_S = 300
_ASK_AGAIN_S = 0.2
_EXECUTIONS = re.compile(r"^punctual_executions_total(?:\{.*\})? ([\d.e+]+)", re.MULTILINE)


class Target:
    """A server that runs already. Used as a context manager; ``with`` gives a ready one.

    ``key``: of an account, if it has some.
    """

    def __init__(self, name: str, url: str, redis_url: str | None = None, key: str = "") -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._redis_url = redis_url
        self._key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""

    def redis(self) -> Redis | None:
        """The Redis behind it, where there is one to look into."""
        return Redis.from_url(self._redis_url) if self._redis_url else None

    @property
    def environment(self) -> Mapping[str, str]:
        """What commands about it run with.

        Raises:
            TargetUnavailable: it is no service of ours that was started here.
        """
        raise TargetUnavailable(f"{self.name} was not started here")

    def executions(self) -> int | None:
        """How many images it has computed, where it counts."""
        with contextlib.suppress(OSError), BROWSER.open(f"{self.url}/metrics", timeout=5) as reply:
            if found := _EXECUTIONS.findall(reply.read().decode()):
                return int(sum(map(float, found)))
        return None

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, for each part that was started here."""
        return {}

    def front_bytes(self) -> int | None:
        """Resident memory of what answers HTTP, where that was started here."""
        return None

    def wait_until_ready(self, picture: Picture) -> None:
        """Ask until an answer comes.

        Raises:
            TargetUnavailable: none came in time.
        """
        until_s = time.monotonic() + _READY_WITHIN_S
        while not self._answers(picture):
            if time.monotonic() > until_s:
                raise TargetUnavailable(
                    f"{self.url} gave no answer for {_READY_WITHIN_S} s\n{self._last_words()}"
                )
            self._still_starting()
            time.sleep(_ASK_AGAIN_S)

    def _still_starting(self) -> None:
        """Raise TargetUnavailable when waiting is in vain."""

    def _last_words(self) -> str:
        """What it printed last, where that is known."""
        return ""

    def _answers(self, picture: Picture) -> bool:
        body = {
            "esun_uuid": uuid.uuid4().hex,
            "esun_timestamp": int(time.time()),
            "image": picture.base64.decode(),
            "retry": 2,
        }
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self._key:
            headers["X-API-Key"] = self._key
        request = urllib.request.Request(  # noqa: S310 - whatever URL a person names
            f"{self.url}/inference", json.dumps(body).encode(), headers
        )
        with (
            contextlib.suppress(OSError, ValueError),
            BROWSER.open(request, timeout=30) as reply,
        ):
            return bool(json.load(reply)["answer"])
        return False


class StartedTarget(Target):
    """A server that is started for a measurement; subclasses say how."""

    def __init__(self, name: str, url: str, redis_url: str | None, key: str = "") -> None:
        super().__init__(name, url, redis_url, key)
        self._folder = tempfile.TemporaryDirectory(prefix="punctual-bench-")
        self.state = Path(self._folder.name)
        self.processes = Processes(self.state / "log.txt")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start every process."""
        raise NotImplementedError

    def cpu_s(self) -> dict[str, float]:
        """See Target."""
        return self.processes.cpu_s()

    def _still_starting(self) -> None:
        self.processes.require_alive()

    def _last_words(self) -> str:
        return self.processes.last_words()
