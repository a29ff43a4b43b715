"""The client where there is no service."""

from __future__ import annotations

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


def begin(image: Path, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "client", str(image), "--url", url],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(stream: IO[str] | None) -> str:
    assert stream
    return stream.readline()


def test_who_waits_for_a_service_is_told(image: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with begin(image, url) as client:
        assert f"{url} does not answer: " in first_line(client.stderr)
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=30)
    assert client.returncode == 130


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://127.0.0.1:port", "does not speak HTTP"), ("127.0.0.1:8000", "not a URL of http")],
)
def test_what_is_no_service_ends_it(image: Path, url: str, why: str) -> None:
    with begin(image, url) as client:
        assert why in first_line(client.stderr)
    assert client.returncode == 1
