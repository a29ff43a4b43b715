"""Settings of a worker process, read from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from model.manifest import Manifest
from workers.contract.settings import QueueSettings

_DEFAULT_BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "handwriting"


class WorkerSettings(QueueSettings):
    """What a worker loads."""

    bundle: Path = Field(_DEFAULT_BUNDLE, description="the bundle to serve, a folder")
    bundles: str = Field(
        "",
        description="where staged versions and registered cards are stored; without it there are "
        "none, a folder",
    )
    engine: Literal["openvino", "openvino-bf16", "tensorflow", "auto"] = Field(
        "auto",
        description="what computes; auto: the fastest here that the bundle says agrees, a name",
    )
    engine_cache: str = Field(
        "", description="what was compiled is kept here for the next start, a folder"
    )
    algorithm: str = Field(
        "",
        description="what the bundle is called; without it, workers serve those too who name no "
        "algorithm, a name",
    )
    task_limit_ms: int = Field(
        10_000, ge=100, description="a task that takes longer is ended with its process, ms"
    )
    task_memory_bytes: int = Field(
        384 * 1024 * 1024,
        ge=1024 * 1024,
        description="a task whose process grows by more since it loaded is ended too, bytes",
    )

    def granting(self, manifest: Manifest) -> Self:
        """The same, with as much for a task as the bundle says that one may need."""
        if manifest.sheet is None:
            return self
        names = ("task_limit_ms", "task_memory_bytes")
        needed = {n: max(getattr(self, n), getattr(manifest.sheet, n)) for n in names}
        return self.model_copy(update=needed)
