"""Settings: from the environment, passwords in their place, timeouts in seconds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from model.manifest import Manifest
from tests.model.graphs import FACTS
from tests.model.test_sheet import NO_FILE, RULES
from workers.contract.address import Address
from workers.contract.settings import QueueSettings
from workers.settings import WorkerSettings


def test_the_password_goes_with_the_url_and_is_not_shown() -> None:
    settings = QueueSettings(redis_url="redis://me@redis:6379/0", redis_password="secret")
    assert settings.redis_address == Address("redis", username="me", password="secret")
    assert "secret" not in repr(settings)


def test_what_makes_no_sense_is_said_in_a_line_each_and_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEASE_MS", "soon")
    monkeypatch.setenv("REDIS_URL", "redis://:secret@redis/queue")
    with pytest.raises(SystemExit) as ended:
        QueueSettings.read()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert [line.split(": ")[:2] for line in said.splitlines()] == [
        ["Cannot start", "REDIS_URL"],
        ["Cannot start", "LEASE_MS"],
    ]
    assert "secret" not in said


def test_settings_come_from_the_environment_and_cannot_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEASE_MS", "1500")
    settings = WorkerSettings()
    assert settings.lease_ms == 1_500
    with pytest.raises(ValidationError, match="frozen"):
        settings.lease_ms = 1


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


def test_a_task_gets_what_its_bundle_needs_where_the_setting_is_less() -> None:
    facts = {
        **FACTS,
        "members": [{"name": "one", "graph": NO_FILE}],
        "golden": [{"image": NO_FILE, "answer": "紅"}],
    }
    settings = WorkerSettings(task_limit_ms=10_000, task_memory_bytes=400_000_000)

    granted = settings.granting(Manifest.model_validate({**facts, "sheet": RULES}))

    assert (granted.task_limit_ms, granted.task_memory_bytes) == (60_000, 400_000_000)
    assert settings.granting(Manifest.model_validate(facts)) == settings
