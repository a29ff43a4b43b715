"""What was compiled once is loaded, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.engines import cache as module
from model.engines.cache import Cache
from model.errors import EngineUnavailable


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_is_put_there_is_got_under_the_same_words_alone(tmp_path: Path) -> None:
    Cache(tmp_path / "a" / "cache").put(b"compiled", "1.0", "graph")
    cache = Cache(tmp_path / "a" / "cache")
    assert cache.get("1.0", "graph") == b"compiled"
    assert cache.get("1.0graph") is None
    assert cache.get("1.1", "graph") is None


def test_what_is_damaged_is_as_good_as_missing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put(b"compiled", "graph")
    (path,) = files(tmp_path / "cache")
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.get("graph") is None


def test_the_longest_unused_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)
    cache = Cache(tmp_path / "cache")
    cache.put(b"one", "one")
    cache.put(b"two", "two")
    assert cache.get("one") == b"one"
    cache.put(b"three", "three")
    assert [cache.get(name) for name in ("one", "two", "three")] == [b"one", None, b"three"]


def test_a_full_disk_keeps_nothing_and_hurts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    cache.put(b"compiled", "graph")
    assert cache.get("graph") is None
    assert files(tmp_path / "cache") == []


def test_a_folder_in_which_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    with pytest.raises(EngineUnavailable, match="others may write in it"):
        Cache(tmp_path / "cache")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(EngineUnavailable, match="cannot be a cache"):
        Cache(tmp_path / "cache")
