"""FastAPI with a plain function, which it calls in a thread, as its documentation asks for.

Tuned: a uvicorn process for each core; one thread for the engine instead of forty, which would
only take turns; and ``limit_concurrency``, with which uvicorn answers 503 to more requests than
it can answer in time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from anyio import to_thread
from fastapi import FastAPI

from bench.peers.reader import InferenceRequest, Reader, Settings, reply

state: dict[str, Reader] = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Load before the first request."""
    to_thread.current_default_thread_limiter().total_tokens = 1
    state["reader"] = Reader(Settings())
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/inference")
def inference(asked: InferenceRequest) -> dict[str, Any]:
    """One image, one answer."""
    return reply(asked.esun_uuid, state["reader"].read(asked.image))


if __name__ == "__main__":
    settings = Settings()
    uvicorn.run(
        "bench.peers.fastapi_sync:app",
        port=settings.port,
        workers=settings.workers,
        limit_concurrency=max(2, settings.backlog // settings.workers),
        access_log=False,
    )
