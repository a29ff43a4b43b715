"""The client where there is no service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from deploy.ports import free_port
from tests.service_process import ROOT


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "1.png"
    path.write_bytes(b"any")
    return path


def begin(source: Path, url: str) -> subprocess.Popen[str]:
    """The client, whose scratch is in a folder beside the source."""
    scratch = source.parent / "scratch"
    scratch.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "client", str(source), "--url", url],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(stream: IO[str] | None) -> str:
    assert stream
    return stream.readline()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_for_a_service_is_told_and_leaves_nothing_when_stopped(
    by: signal.Signals, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "1.png").write_bytes(b"any")
    with begin(tmp_path / "some", url) as client:
        assert f"{url} does not answer: " in first_line(client.stderr)
        assert list((tmp_path / "scratch").iterdir())
        client.send_signal(by)
        client.communicate(timeout=30)
    assert client.returncode == 130
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://127.0.0.1:port", "does not speak HTTP"), ("127.0.0.1:8000", "not a URL of http")],
)
def test_what_is_no_service_ends_it(image: Path, url: str, why: str) -> None:
    with begin(image, url) as client:
        assert why in first_line(client.stderr)
    assert client.returncode == 1
