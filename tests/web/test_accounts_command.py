"""``python -m web accounts``, as an operator types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from web.__main__ import main
from workers.contract.account import Account, Limits, Right, name_and_secret
from workers.contract.accounts import Accounts


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCOUNTS", str(tmp_path / "accounts.db"))
    return tmp_path / "accounts.db"


def accounts(path: Path) -> dict[str, Account]:
    with Accounts(path, 0) as opened:
        return opened.all()


def key_ids(path: Path) -> list[str]:
    with Accounts(path, 0) as opened:
        return [key.id for key in opened.keyring()]


def told(capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    assert main(["accounts", *words.split()]) == 0
    return capsys.readouterr().out.splitlines()


def test_an_account_is_added_and_changed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "add bank --rate 2.5 --quota 1e5 --algorithm sheet --right usage")
    bank = Account("bank", Limits(2.5, 3, 1e5), frozenset({"sheet"}), frozenset({Right.USAGE}))
    assert accounts(path) == {"bank": bank}
    (line,) = told(capsys, "limit bank --burst 10 --algorithm all --right none")
    assert line == (
        "bank: 2.5 requests a second, 10 at once, 100000.0 units a month; algorithms: all; "
        "rights: none"
    )
    assert accounts(path) == {"bank": Account("bank", Limits(2.5, 10, 1e5))}
    told(capsys, "limit bank --rate 0 --quota 0")
    assert accounts(path) == {"bank": Account("bank")}


def test_a_key_is_shown_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent, once = told(capsys, "add bank")
    assert name_and_secret(sent)[0] == key_ids(path)[0]
    assert "once" in once
    assert sent not in "\n".join(told(capsys, "list"))


def test_keys_are_rotated_and_revoked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = told(capsys, "add bank")
    second, until = told(capsys, "rotate bank --hours 2")
    assert "valid until 20" in until
    ids = [name_and_secret(sent)[0] for sent in (first, second)]
    assert sorted(key_ids(path)) == sorted(ids)
    _, *lines = told(capsys, "list")
    assert sorted(lines, key=len)[0] == f"  key {ids[1]}"
    assert sorted(lines, key=len)[1].startswith(f"  key {ids[0]}, until 20")

    told(capsys, f"revoke bank {ids[0]}")
    assert key_ids(path) == [ids[1]]
    told(capsys, "revoke bank")
    assert told(capsys, "list") == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("rotate nobody", "no account nobody"),
        ("add bank", "an account bank already"),
        ("limit bank --burst 3", "needs a rate"),
        ("limit bank --rate 3 --burst 0", "a burst of at least 1"),
        ("revoke bank 00000000", "no key 00000000"),
    ],
)
def test_what_cannot_be_done_is_told(
    path: Path, capsys: pytest.CaptureFixture[str], words: str, why: str
) -> None:
    told(capsys, "add bank")
    before = accounts(path)
    assert main(["accounts", *words.split()]) == 1
    assert why in capsys.readouterr().err
    assert accounts(path) == before


@pytest.mark.parametrize(
    "words", ["add Bank", "add a:b", "add bank --rate -1", "add bank --rate nan", "add b --right x"]
)
def test_what_makes_no_sense_is_no_command(path: Path, words: str) -> None:
    with pytest.raises(SystemExit):
        main(["accounts", *words.split()])
    assert not path.exists()


def test_without_a_file_it_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("ACCOUNTS", raising=False)
    assert main(["accounts", "list"]) == 1
    assert "export ACCOUNTS" in capsys.readouterr().err
    monkeypatch.setenv("ACCOUNTS", str(tmp_path / "none"))
    assert main(["accounts", "list"]) == 1
    assert "accounts add NAME" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
