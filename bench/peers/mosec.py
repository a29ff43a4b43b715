"""mosec: its Rust front before as many Python workers as there are cores.

Tuned: no batching; ``--timeout`` of the callers' second; ``--capacity``, beyond which it answers
429, for as many requests as can be answered in time.
"""

from __future__ import annotations

import sys
from typing import Any

import mosec

from bench.peers.reader import Reader, Settings, fields, reply


class Recogniser(mosec.Worker):
    """One worker process."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = Reader(Settings())

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """One image, one answer."""
        uuid, image = fields(data)
        return reply(uuid, self.reader.read(image))


if __name__ == "__main__":
    settings = Settings()
    sys.argv[1:] = [
        *("--address", "127.0.0.1", "--port", str(settings.port)),
        *("--timeout", str(settings.limit_ms), "--capacity", str(settings.backlog)),
        *("--log-level", "warning"),
    ]
    server = mosec.Server()
    server.append_worker(Recogniser, num=settings.workers)
    server.run()
