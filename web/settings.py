"""Settings of a front process, read from the environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from workers.contract.settings import QueueSettings


class WebSettings(QueueSettings):
    """What the front promises to its callers."""

    answer_within_ms: int = Field(
        900,
        ge=50,
        le=30_000,
        description="a caller without Prefer: wait gets its reply by then, ms",
    )
    useful_for_ms: int = Field(
        3_000, ge=50, description="the last re-send of a caller ends this long after arrival, ms"
    )
    drop_after_ms: int = Field(
        10_000, ge=50, description="nobody can still want an answer this long after arrival, ms"
    )
    prediction_cache: bool = Field(
        True, description="the same image under another uuid reuses its answer, true or false"
    )
    max_image_bytes: int = Field(
        6_000_000, ge=1_000, description="the largest image that is accepted, bytes"
    )
    captain_email: str = Field(
        "captain@example.com", description="goes into server_uuid, an address"
    )
    salt: SecretStr = Field(SecretStr("punctual"), description="goes into server_uuid, a secret")
