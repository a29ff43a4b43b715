"""Settings that the front and the workers must agree on, read from the environment."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.contract.address import Address
from workers.contract.logs import LogFormat

# Docker and Kubernetes mount secrets as files; a file named like a setting is read as it.
_SECRETS = Path("/run/secrets")

# After this status gunicorn ends too; with another one it would try again for ever.
_EXIT_INVALID = 3


class Settings(BaseSettings):
    """What all of them have in common."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        # There may be a password in it.
        hide_input_in_errors=True,
    )

    @classmethod
    def read(cls) -> Self:
        """From the environment; the process ends when one makes no sense, and says which."""
        try:
            return cls()
        except ValidationError as error:
            for wrong in error.errors(include_url=False, include_input=False):
                name = "_".join(map(str, wrong["loc"])).upper()
                message = wrong["msg"].removeprefix("Value error, ")
                print(f"Cannot start: {name}: {message}", file=sys.stderr)
            raise SystemExit(_EXIT_INVALID) from None


class EvidenceSettings(Settings):
    """Where evidence of every reply is kept, and for how long."""

    evidence: str = Field(
        "", description="what was replied is kept here, without it nowhere, a folder"
    )
    evidence_days: int = Field(30, ge=1, description="evidence is removed after this, days")
    evidence_image_days: int = Field(
        0, ge=0, description="images are kept beside it for so long, 0 for not at all, days"
    )

    @property
    def keeps_images(self) -> bool:
        """Whether what was read lies there too."""
        return bool(self.evidence and self.evidence_image_days)


class QueueSettings(Settings):
    """Where the queue is and how long things live in it."""

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="the Redis that is queue and ledger, a URL"
    )
    redis_password: SecretStr = Field(
        SecretStr(""), description="its password, when the URL carries none"
    )
    redis_timeout_ms: int = Field(
        1_000, ge=40, description="a Redis that is silent for this long counts as away, ms"
    )
    lease_ms: int = Field(
        1_000, ge=100, description="a worker that is silent for this long has lost its task, ms"
    )
    max_attempts: int = Field(
        3, ge=1, description="a request that took this many workers with it is given up, count"
    )
    backlog_ms: int = Field(
        600,
        ge=20,
        description="what waits is to be worked off in this time, by fewer members if need be, ms",
    )
    max_queue: int = Field(
        5_000, ge=1, description="at most this many requests wait for a worker, count"
    )
    max_queue_bytes: int = Field(
        128_000_000,
        ge=1_000_000,
        description="the images that are stored to be read are together at most so large, bytes",
    )
    keep_for_ms: int = Field(
        1_800_000, ge=1_000, description="a result nobody asks for is forgotten after this, ms"
    )
    ready_within_ms: int = Field(
        3_000, ge=500, description="ready means that a task was completed this recently, ms"
    )
    log_format: LogFormat = Field(
        LogFormat.TEXT, description="what is logged: lines of text, or objects, text or json"
    )
    otel_exporter_otlp_endpoint: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="spans of requests go to this collector, by OTLP over HTTP; without it "
        "nowhere, a URL",
    )

    max_image_bytes: int = Field(
        6_000_000, ge=1_000, description="the largest image that is accepted, bytes"
    )
    jobs: str = Field(
        "", description="jobs are kept here; without it there are none, a folder that all share"
    )
    jobs_floor: int = Field(
        8,
        ge=0,
        le=50,
        description="while callers wait, jobs get so much of the workers, percent of the turns",
    )
    jobs_max_bytes: int = Field(
        4_000_000_000,
        ge=1_000_000,
        description="what jobs and uploads bring is together at most so large, bytes",
    )
    jobs_keep_for_ms: int = Field(
        604_800_000, ge=1_000, description="a job that has ended is forgotten after this, ms"
    )

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        Address.parse(url)
        return url

    @cached_property
    def redis_address(self) -> Address:
        """Where ``redis_url`` leads, the password with it."""
        return Address.parse(self.redis_url, self.redis_password.get_secret_value())

    @property
    def redis_timeouts(self) -> dict[str, float]:
        """For the workers' connections, in seconds.

        The address of a container that is gone does not refuse, it is silent: the sooner that
        is found out, the sooner the next attempt succeeds.
        """
        timeout_s = self.redis_timeout_ms / 1000
        return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s / 4}
