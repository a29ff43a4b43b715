"""``make`` finishes what an earlier attempt left half-made, and repeats nothing that is done."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import environment
from deploy.environment import Environment, ensure


class Recorded(Environment):
    """Makes environments with pip alone, and notes what would be installed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.made = 0
        self.installed: list[str] = []
        self.broken_off = False

    def make(self) -> None:
        self.made += 1
        super().make()

    def _call(self, *command: str) -> None:
        if "install" not in command:
            super()._call(*command)
        elif self.broken_off:
            raise KeyboardInterrupt
        else:
            self.installed.append(command[-1])


def a_venv(folder: Path, *options: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", *options, str(folder)], check=True)


def test_what_cannot_be_gone_on_with_is_made_anew(tmp_path: Path) -> None:
    """Without python3-venv, or after Ctrl-C in the first seconds, there is a Python without pip."""
    folder, copy = tmp_path / "a folder" / ".venv", tmp_path / "copy"
    a_venv(folder, "--without-pip")
    assert not Environment(folder).works()
    Environment(folder).make()
    assert Environment(folder).works()

    shutil.copytree(folder, copy, symlinks=True)
    assert not Environment(copy).works(), "its programs are those of the other folder"
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to(tmp_path / "removed")
    assert not Environment(folder).works(), "its Python is gone"


def test_another_python_has_it_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_venv(tmp_path)
    assert Environment(tmp_path).works()
    monkeypatch.setattr("sys.version_info", (3, 99))
    assert not Environment(tmp_path).works()


def test_an_installation_that_was_broken_off_is_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/redis-server")
    venv = Recorded(tmp_path)
    venv.broken_off = True
    with pytest.raises(KeyboardInterrupt):
        ensure(venv, "run")
    venv.broken_off = False
    ensure(venv, "run")
    assert venv.made == 2
    assert venv.installed == [".[flower,run,web,worker]"]


def test_nothing_is_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/redis-server")
    venv = Recorded(tmp_path)
    for purpose in ("run", "run", "test", "run"):
        ensure(venv, purpose)
    assert venv.made == 1
    assert len(venv.installed) == 2

    monkeypatch.setattr(shutil, "which", lambda _: None)
    ensure(venv, "run")
    assert venv.installed[2:] == [".[flower,redis,run,web,worker]"]

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    ensure(venv, "run")
    assert venv.installed[3:] == [".[flower,redis,run,traces,web,worker]"]

    monkeypatch.setattr(environment, "_digest", lambda: "other packages are pinned")
    ensure(venv, "run")
    assert venv.made == 1
    assert len(venv.installed) == 5
