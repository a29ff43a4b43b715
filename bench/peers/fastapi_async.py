"""FastAPI with a coroutine, which hands the work to a thread of its own and watches the clock.

Tuned: a uvicorn process for each core, one engine thread in each; ``asyncio.timeout`` ends a
request after the callers' second, and what has not begun by then is not computed any more;
``limit_concurrency`` as in the synchronous one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException

from bench.peers.reader import InferenceRequest, Reader, Settings, reply

settings = Settings()
state: dict[str, Reader] = {}
pool = ThreadPoolExecutor(1)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Load before the first request."""
    state["reader"] = Reader(settings)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/inference")
async def inference(asked: InferenceRequest) -> dict[str, Any]:
    """One image, one answer, or 504."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(settings.limit_ms / 1000):
            answer = await loop.run_in_executor(pool, state["reader"].read, asked.image)
    except TimeoutError:
        raise HTTPException(504, "too late") from None
    return reply(asked.esun_uuid, answer)


if __name__ == "__main__":
    uvicorn.run(
        "bench.peers.fastapi_async:app",
        port=settings.port,
        workers=settings.workers,
        limit_concurrency=max(2, settings.backlog // settings.workers),
        access_log=False,
    )
