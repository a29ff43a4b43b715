"""Virtual environments of the peers: made when first needed, kept for the next time.

Each adds the pinned packages of one peer to those of this environment, so that all compute with
the same TensorFlow and the same OpenVINO, and no peer's needs change ours.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from bench.errors import TargetUnavailable

_REQUIREMENTS = Path(__file__).with_name("peers") / "requirements"
_COMPLETE = "complete"


def cache_folder() -> Path:
    """Where they are kept, by the custom of the system."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "punctual-bench")


def python_for(requirements: str | None, cache: Path) -> Path:
    """The interpreter that has the packages of ``peers/requirements/<requirements>.txt``.

    Without requirements it is the one that runs this.

    Raises:
        TargetUnavailable: they cannot be installed.
    """
    if requirements is None:
        return Path(sys.executable)
    wanted = _REQUIREMENTS / f"{requirements}.txt"
    ours = sysconfig.get_path("purelib")
    key = hashlib.sha256(f"{sys.version}\n{ours}\n{wanted.read_text()}".encode()).hexdigest()[:12]
    folder = cache / f"{requirements}-{key}"
    python = folder / "bin" / "python"
    # Environments know their own path: one is made in its place, and counts once it is complete.
    if not (folder / _COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, ours, wanted)
        (folder / _COMPLETE).touch()
    return python


def _make(folder: Path, python: Path, ours: str, wanted: Path) -> None:
    print(f"Installing {wanted.stem} into {folder}: once.", file=sys.stderr)
    try:
        venv.create(folder, symlinks=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        # Named to come last: what the peer pins goes before what we have, pip among it.
        (folder / "lib" / version / "site-packages" / "zz-punctual.pth").write_text(f"{ours}\n")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        made = subprocess.run(  # noqa: S603
            [*pip, "-r", str(wanted)], capture_output=True, text=True, check=False
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise TargetUnavailable(f"no environment in {folder}: {error}") from error
    if made.returncode:
        errors = [line for line in made.stderr.splitlines() if line.startswith("ERROR")]
        raise TargetUnavailable(f"pip could not install {wanted.stem}: {' '.join(errors)[:500]}")
