"""Settings that the front and the workers must agree on, read from the environment."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

# Docker and Kubernetes mount secrets as files; a file named like a setting is read as it.
_SECRETS = Path("/run/secrets")


class QueueSettings(BaseSettings):
    """Where the queue is and how long things live in it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", secrets_dir=_SECRETS if _SECRETS.is_dir() else None
    )

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
    keep_for_ms: int = Field(
        1_800_000, ge=1_000, description="a result nobody asks for is forgotten after this, ms"
    )
    ready_within_ms: int = Field(
        3_000, ge=500, description="ready means that a task was completed this recently, ms"
    )

    @property
    def redis_timeouts(self) -> dict[str, float]:
        """For the workers' connections, in seconds.

        The address of a container that is gone does not refuse, it is silent: the sooner that
        is found out, the sooner the next attempt succeeds.
        """
        timeout_s = self.redis_timeout_ms / 1000
        return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s / 4}

    @property
    def broker_url(self) -> str:
        """``redis_url`` with the password in it."""
        password = self.redis_password.get_secret_value()
        url = urlsplit(self.redis_url)
        if not password or url.password:
            return self.redis_url
        user_and_password = f"{url.username or ''}:{quote(password, safe='')}"
        host = url.netloc.rpartition("@")[2]
        return urlunsplit(url._replace(netloc=f"{user_and_password}@{host}"))
