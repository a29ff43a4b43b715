"""Settings of a front process, read from the environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from workers.contract.settings import EvidenceSettings, QueueSettings, Settings


class AccountSettings(Settings):
    """Who may ask."""

    accounts: str = Field(
        "", description="who may ask is in this file; without it everybody may, a file"
    )


class PriceSettings(Settings):
    """What usage would cost elsewhere, and what it costs here."""

    price_million_calls: float = Field(
        1.0, ge=0, description="what a platform without servers takes for its door, USD a million"
    )
    price_million_wakes: float = Field(
        0.2, ge=0, description="what it takes for starting a function, USD a million"
    )
    price_thousand_seconds: float = Field(
        0.133, ge=0, description="what it takes for computing with 8 GB, USD a 1,000 s"
    )
    price_machine_hour: float = Field(
        0.2, ge=0, description="what the machines cost that the service runs on, USD an hour"
    )


class WebSettings(QueueSettings, PriceSettings, AccountSettings, EvidenceSettings):
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
    traced_percent: float = Field(
        1.0,
        ge=0,
        le=100,
        description="where there is a collector, so many of the uuids are traced, percent",
    )
    captain_email: str = Field(
        "captain@example.com", description="goes into server_uuid, an address"
    )
    salt: SecretStr = Field(SecretStr("punctual"), description="goes into server_uuid, a secret")
