"""NVIDIA Triton by pytriton, and before it FastAPI, as Triton itself does not speak the contract.

Triton's core queues and hands each request to one of as many Python callables as there are cores.
Tuned: batches of one; a queue policy that rejects what is beyond the number that can be answered
in time, and what has waited too long (Triton's time-out is queue time); a front of one process
with an asynchronous client; and no store in shared memory, which is for more than a few kilobytes
and on a busy machine takes longer to start than pytriton waits.
"""

from __future__ import annotations

import multiprocessing
import os
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import uvicorn
from fastapi import FastAPI, HTTPException
from pytriton.client import AsyncioModelClient
from pytriton.client.exceptions import PyTritonClientError
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, QueuePolicy, Tensor, TimeoutAction
from pytriton.triton import Triton, TritonConfig

from bench.peers.reader import InferenceRequest, Reader, Settings, reply
from deploy.ports import free_port

_MODEL = "handwriting"

Arrays = dict[str, npt.NDArray[Any]]


def front(port: int, triton_port: int, limit_ms: int) -> None:
    """The HTTP front, in a process of its own."""
    clients: list[AsyncioModelClient] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        url = f"http://127.0.0.1:{triton_port}"
        async with AsyncioModelClient(
            url, _MODEL, init_timeout_s=120, inference_timeout_s=limit_ms / 1000
        ) as client:
            clients.append(client)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/inference")
    async def inference(asked: InferenceRequest) -> dict[str, Any]:
        try:
            found = await clients[0].infer_sample(image=np.array([asked.image.encode()]))
        except (PyTritonClientError, TimeoutError) as error:
            raise HTTPException(503, str(error)) from error
        return reply(asked.esun_uuid, found["answer"][0].decode())

    uvicorn.run(app, port=port, access_log=False)


def callable_of(reader: Reader) -> Callable[..., Arrays]:
    """One inference callable with an ensemble of its own."""

    def infer(image: npt.NDArray[Any]) -> Arrays:
        answers = [reader.read(row[0].decode()).encode() for row in image]
        return {"answer": np.array(answers)[:, None]}

    decorated: Callable[..., Arrays] = batch(infer)
    return decorated


def main() -> None:
    """Triton here, its front beside it."""
    settings = Settings()
    triton_port = free_port()
    os.environ["PYTRITON_NO_TENSORSTORE"] = "1"
    # Triton's Python stub links to a libpython: it must be that of this interpreter.
    known = os.environ.get("LD_LIBRARY_PATH", "")
    os.environ["LD_LIBRARY_PATH"] = f"{sysconfig.get_config_var('LIBDIR')}{os.pathsep}{known}"
    policy = QueuePolicy(
        timeout_action=TimeoutAction.REJECT,
        default_timeout_microseconds=settings.queue_ms * 1000,
        max_queue_size=settings.backlog,
    )
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=triton_port,
        allow_grpc=False,
        allow_metrics=False,
    )
    with Triton(config=config, workspace=settings.state / "triton") as triton:
        triton.bind(
            model_name=_MODEL,
            infer_func=[callable_of(Reader(settings)) for _ in range(settings.workers)],
            inputs=[Tensor(name="image", dtype=np.bytes_, shape=(1,))],
            outputs=[Tensor(name="answer", dtype=np.bytes_, shape=(1,))],
            config=ModelConfig(
                max_batch_size=1, batcher=DynamicBatcher(default_queue_policy=policy)
            ),
        )
        context = multiprocessing.get_context("spawn")
        context.Process(
            target=front, args=(settings.port, triton_port, settings.limit_ms), daemon=True
        ).start()
        triton.serve()


if __name__ == "__main__":
    main()
