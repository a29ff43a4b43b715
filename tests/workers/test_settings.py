"""Settings: from the environment, passwords in their place, timeouts in seconds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from workers.contract.settings import QueueSettings
from workers.settings import WorkerSettings


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("redis://redis:6379/0", "", "redis://redis:6379/0"),
        ("redis://redis:6379/0", "se/cret", "redis://:se%2Fcret@redis:6379/0"),
        ("redis://me@redis:6379/0", "secret", "redis://me:secret@redis:6379/0"),
        ("redis://:known@redis:6379/0", "secret", "redis://:known@redis:6379/0"),
    ],
)
def test_the_password_goes_into_the_url(url: str, password: str, expected: str) -> None:
    settings = QueueSettings(redis_url=url, redis_password=password)
    assert settings.broker_url == expected
    assert "secret" not in repr(settings.redis_password)


def test_settings_come_from_the_environment_and_cannot_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEASE_MS", "1500")
    settings = WorkerSettings()
    assert settings.lease_ms == 1_500
    with pytest.raises(ValidationError, match="frozen"):
        settings.lease_ms = 1  # type: ignore[misc]


@pytest.mark.parametrize(("name", "value"), [("LEASE_MS", "soon"), ("ENGINE", "steam")])
def test_nonsense_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        WorkerSettings()


def test_connecting_is_tried_for_a_quarter_of_the_time_out() -> None:
    assert QueueSettings(redis_timeout_ms=1_000).redis_timeouts == {
        "socket_timeout": 1.0,
        "socket_connect_timeout": 0.25,
    }
