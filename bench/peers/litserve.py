"""LitServe: a LitAPI in as many worker processes as there are cores.

Tuned: no batching, the ZeroMQ queue that its documentation has for speed, and ``timeout`` set to
the longest that a request can wait and still be answered in time: LitServe's is queue time.
"""

from __future__ import annotations

from typing import Any

import litserve

from bench.peers.reader import Reader, Settings, fields, reply


class Recogniser(litserve.LitAPI):
    """One worker process."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load before the first request."""
        self.reader = Reader(Settings())

    def decode_request(self, request):  # type: ignore[no-untyped-def]
        """The body as parsed; LitServe reads annotations, and one would ask for a model of it."""
        return fields(request)

    def predict(self, asked: tuple[str, str]) -> dict[str, Any]:
        """One image, one answer."""
        uuid, image = asked
        return reply(uuid, self.reader.read(image))

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """It is JSON already."""
        return output


if __name__ == "__main__":
    settings = Settings()
    server = litserve.LitServer(
        Recogniser(api_path="/inference"),
        accelerator="cpu",
        devices=1,
        workers_per_device=settings.workers,
        timeout=settings.queue_ms / 1000,
        fast_queue=True,
    )
    server.run(
        port=settings.port, host="127.0.0.1", generate_client_file=False, log_level="warning"
    )
