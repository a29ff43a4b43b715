"""BentoML: a service of as many workers as there are cores.

Tuned: no batching, one thread a worker, ``timeout`` of the callers' second, and
``max_concurrency``, beyond which it answers 429, for as many requests as can be answered in time.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import bentoml

from bench.peers.reader import Reader, Settings, reply

settings = Settings()


@bentoml.service(
    workers=settings.workers,
    threads=1,
    traffic={"timeout": settings.limit_ms / 1000, "max_concurrency": settings.backlog},
    logging={"access": {"enabled": False}},
)
class Recogniser:
    """One worker process."""

    def __init__(self) -> None:
        self.reader = Reader(settings)

    @bentoml.api(route="/inference")
    def inference(
        self,
        esun_uuid: str,
        esun_timestamp: int,  # noqa: ARG002
        image: str,
        retry: int = 0,  # noqa: ARG002
    ) -> dict[str, Any]:
        """One image, one answer."""
        return reply(esun_uuid, self.reader.read(image))


if __name__ == "__main__":
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    os.environ["BENTOML_HOME"] = str(settings.state)
    command = ["-m", "bentoml", "serve", "bench.peers.bentoml:Recogniser"]
    where = ["--host", "127.0.0.1", "--port", str(settings.port)]
    os.execv(sys.executable, [sys.executable, *command, *where])  # noqa: S606
