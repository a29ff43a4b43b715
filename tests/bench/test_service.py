"""The programs of ``make run``, as a measurement starts them."""

from __future__ import annotations

from pathlib import Path

from bench.pictures import Pictures
from bench.service import Punctual


def test_what_is_measured_is_what_make_run_starts_without_flower(tiny_bundle: Path) -> None:
    with Punctual(tiny_bundle) as target:
        target.wait_until_ready(Pictures.varied(tiny_bundle, 1).first)
        assert list(target.cpu_s()) == ["redis", "workers", "front"]
        words = {part: target.processes.family(part)[0].cmdline() for part in target.cpu_s()}
        assert "redis-server" in words["redis"][0]
        assert words["workers"][1:3] == ["-m", "workers.keeper"]
        assert words["front"][2:] == ["-c", "deploy/gunicorn.conf.py"]
        (front, *_) = target.processes.family("front")
        assert front.environ()["PROMETHEUS_MULTIPROC_DIR"] == f"{target.state}/metrics"
