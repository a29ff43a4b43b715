"""Its own settings, and what is wrong with them."""

from __future__ import annotations

import pytest

from deploy.serverless.settings import ServerlessSettings
from tests.service_process import ROOT


def test_the_table_of_settings_is_the_settings() -> None:
    document = (ROOT / "docs" / "SERVERLESS.md").read_text(encoding="utf-8")
    rows = [line for line in document.splitlines() if line.startswith("| `")]
    fields = ServerlessSettings.model_fields
    own = ServerlessSettings.__annotations__
    assert {name.lower() for name in own} == {row.split("`")[1].lower() for row in rows}
    for row in rows:
        name, default, meaning = (cell.strip(" `") for cell in row[1:-1].split("|"))
        field = fields[name.lower()]
        assert meaning == field.description
        assert default == str("" if field.default_factory else field.default).removeprefix(
            f"{ROOT}/"
        )


def test_a_redis_is_optional_but_not_a_wrong_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    assert ServerlessSettings.read().redis_url == ""
    monkeypatch.setenv("REDIS_URL", "http://redis")
    with pytest.raises(SystemExit):
        ServerlessSettings.read()
    assert "Cannot start: REDIS_URL: must begin with redis://" in capsys.readouterr().err
