"""The proof of a bundle, in a process of its own."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil
import pytest

from model.bundle import Bundle
from model.errors import BundleInvalid
from tests.service_process import bundle_with
from workers.proof import prove
from workers.settings import WorkerSettings


def test_golden_images_must_be_read_as_the_manifest_says(tmp_path: Path) -> None:
    bundle = Bundle.open(bundle_with(tmp_path / "bundle"))
    prove(bundle, WorkerSettings())
    first = bundle.manifest.golden[0].image.path
    other = bundle.manifest.golden[1].image.path
    (bundle.folder / first).write_bytes((bundle.folder / other).read_bytes())
    with pytest.raises(BundleInvalid, match=first):
        prove(bundle, WorkerSettings())


def test_an_engine_that_is_not_installed_is_told(tmp_path: Path) -> None:
    bundle = Bundle.open(bundle_with(tmp_path / "bundle"))
    with pytest.raises(BundleInvalid, match="nonsense"):
        prove(bundle, WorkerSettings().model_copy(update={"engine": "nonsense"}))


def test_a_process_that_the_kernel_ends_is_told(tmp_path: Path) -> None:
    def kill() -> None:
        ours, ended = psutil.Process(), False
        while not ended:
            time.sleep(0.01)
            for child in ours.children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
                    ended = True

    bundle = Bundle.open(bundle_with(tmp_path / "bundle"))
    kernel = threading.Thread(target=kill)
    kernel.start()
    with pytest.raises(BundleInvalid, match="is memory short"):
        prove(bundle, WorkerSettings())
    kernel.join()
