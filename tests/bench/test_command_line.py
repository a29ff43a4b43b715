"""``python -m bench``, whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from deploy.run import ROOT
from tests.bench.scripted import Script, ScriptedServer


def test_a_scenario_against_a_server_that_runs(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ScriptedServer(lambda _body, _copy: Script(200)) as server:
        of = ["--url", server.url, "--bundle", str(tiny_bundle), "--variants", "4"]
        short = ["--capacity-seconds", "0.2", "--requests", "5", "--rate", "20", "--out", str(out)]
        run = subprocess.run(
            [sys.executable, "-m", "bench", "steady", *of, *short],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=150,
        )
    assert run.returncode == 0, run.stderr
    assert "| server | 5 | 100 |" in run.stdout
    found = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert found["options"]["requests"] == 5
    capacity = found["capacity, openvino"]
    assert capacity["members"] == 2
    assert capacity["C per s"] > 0
    assert found["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["steady", "--bundle", "no-such-folder"], "no-such-folder"),
        (["compare", "--scenario", "storm", "--peers", "apache"], "no peer apache"),
        (["steady", "--images", "no-such-folder"], "neither a folder nor a tar"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main() == 1
    assert message in capsys.readouterr().err


def test_compare_takes_the_options_of_its_scenario_and_no_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["bench", "compare", "--scenario", "burst", "--wait", "3", "--levels", "1"]
    )
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit):
        main()
    assert "unrecognized arguments: --levels 1" in capsys.readouterr().err
