"""Settings of a process without a queue, read from the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, field_validator

from web.settings import WebSettings
from workers.contract.address import Address

_DEFAULT_BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "handwriting"


class ServerlessSettings(WebSettings):
    """What is read with, and where uuids are kept, beside what the front has."""

    redis_url: str = Field("", description="keeps each uuid; without one nothing is kept, a URL")
    bundle: Path = Field(
        _DEFAULT_BUNDLE,
        description="the bundle to serve, in the image or on a shared file system, a folder",
    )
    engine_cache: str = Field(
        "", description="what was compiled is kept here for the next start, a folder"
    )
    threads: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        description="an image is read on so many cores; without it, on all, count",
    )

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url:
            Address.parse(url)
        return url
