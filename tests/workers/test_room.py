"""One process at a time where memory is short."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from workers import room
from workers.room import NoRoom, require_room, turn

MIB = 1 << 20


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    told = {"bytes": 0}
    monkeypatch.setattr(room, "free_bytes", lambda: told["bytes"])
    return told


def others_wait(folder: Path, processes: int) -> bool:
    """Whether one that comes second waits for the first to have loaded."""
    loaded, came = [0], threading.Event()

    def second() -> None:
        with turn(folder, processes, lambda: loaded[0]):
            came.set()

    thread = threading.Thread(target=second)
    with turn(folder, processes, lambda: loaded[0]):
        thread.start()
        waited = not came.wait(0.2)
        loaded[0] = 300 * MIB
    thread.join()
    assert came.is_set()
    return waited


@pytest.mark.parametrize(("free_mib", "waits"), [(2_047, True), (2_048, False)])
def test_they_load_beside_each_other_where_there_is_plenty(
    free_mib: int, waits: bool, free: dict[str, int], tmp_path: Path
) -> None:
    free["bytes"] = free_mib * MIB
    assert others_wait(tmp_path, processes=2) == waits


def test_the_first_one_tries_and_the_next_one_needs_as_much(
    free: dict[str, int], tmp_path: Path
) -> None:
    free["bytes"] = 200 * MIB
    with turn(tmp_path, 2, lambda: 0):
        pass
    with (
        pytest.raises(NoRoom, match="a process takes 300 MiB, 200 MiB are free"),
        turn(tmp_path, 2, lambda: 300 * MIB),
    ):
        pass
    free["bytes"] = 400 * MIB
    with turn(tmp_path, 2, lambda: 300 * MIB):
        pass


def test_a_little_is_left_over(free: dict[str, int]) -> None:
    free["bytes"] = 109 * MIB
    with pytest.raises(NoRoom):
        require_room(100 * MIB)
    free["bytes"] = 111 * MIB
    require_room(100 * MIB)
