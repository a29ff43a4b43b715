"""The roster: what is to be served, in a file that no reader finds half-written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workers.roster import Roster, RosterBroken, Versions


def add(line: str) -> object:
    return lambda own: own.model_copy(update={"staged": (*own.staged, line)})


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return Roster(tmp_path / "store", lambda: 1_700_000_000_000)


def test_there_is_nothing_at_first(roster: Roster) -> None:
    assert roster.read() == {}
    assert roster.of("forms") == Versions()
    assert roster.steps(5) == []


def test_a_change_is_kept_and_noted(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "night")
    roster.change("stage", "forms/2", "abc", add("forms/2"))
    roster.change("stage", "sheet/1", "def", add("sheet/1"))
    assert roster.of("forms").staged == ("forms/2",)
    assert roster.of("sheet").staged == ("sheet/1",)
    (step,) = roster.steps(1)
    assert (step.when, step.what, step.line, step.digest) == (
        "2023-11-14T22:13:20+00:00",
        "stage",
        "sheet/1",
        "def",
    )
    assert step.who.startswith("night@")


def test_none_of_many_changes_is_lost(roster: Roster) -> None:
    with ThreadPoolExecutor(8) as pool:
        for change in [
            pool.submit(roster.change, "stage", f"forms/{number}", "", add(f"forms/{number}"))
            for number in range(40)
        ]:
            change.result()
    assert sorted(roster.of("forms").staged) == sorted(f"forms/{number}" for number in range(40))
    assert len(roster.steps(100)) == 40


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"forms": {"promted": "forms/2"}}'])
def test_a_file_that_somebody_broke_is_told_and_left(roster: Roster, content: bytes) -> None:
    roster.change("stage", "forms/2", "", add("forms/2"))
    (path,) = set((roster._folder).glob("roster.json"))
    path.write_bytes(content)
    with pytest.raises(RosterBroken, match=r"roster\.json cannot be read"):
        roster.change("stage", "forms/3", "", add("forms/3"))
    assert path.read_bytes() == content
    assert len(roster.steps(5)) == 1


@pytest.mark.parametrize(
    ("versions", "served"),
    [
        (Versions(), ["forms/1"]),
        (Versions(staged=("forms/3", "forms/2")), ["forms/1", "forms/2", "forms/3"]),
        (Versions(staged=("forms/2",), promoted="forms/2"), ["forms/2", "forms/1"]),
        (Versions(staged=("forms/2",), promoted="forms/2", retired=("forms/1",)), ["forms/2"]),
        (Versions(staged=("forms/1",)), ["forms/1"]),
        # Somebody has put a retired version back into BUNDLE, and nothing else is there.
        (Versions(retired=("forms/1",)), ["forms/1"]),
    ],
)
def test_the_promoted_version_is_served_first(versions: Versions, served: list[str]) -> None:
    assert versions.served("forms/1") == served
