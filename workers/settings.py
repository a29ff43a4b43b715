"""Settings of a worker process, read from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from workers.contract.settings import QueueSettings

_DEFAULT_BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "handwriting"


class WorkerSettings(QueueSettings):
    """What a worker loads."""

    bundle: Path = Field(_DEFAULT_BUNDLE, description="the bundle to serve, a folder")
    engine: Literal["openvino", "tensorflow"] = Field(
        "openvino", description="what computes, a name"
    )
