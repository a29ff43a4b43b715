"""``python3 -m deploy.environment run`` or ``test``: let .venv hold what that needs.

The Python of the machine runs this, so it needs nothing but the standard library.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy import assets

ROOT = Path(__file__).resolve().parents[1]
RUN = {"web", "worker", "flower", "run"}
TEST = RUN | {"training", "bench", "test", "traces"}
EXTRAS = {"run": RUN, "test": TEST, "pipeline": TEST | {"pipeline"}}

_UNFINISHED = "unfinished"


class Environment:
    """A virtual environment that an earlier attempt may have left in any state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._python = folder / "bin" / "python"
        # What the last installation brought, if it came to its end.
        self._record = folder / "installed.txt"

    def works(self) -> bool:
        """Whether it can be gone on with.

        Its pip runs, under the Python that runs this; its programs, which name their folder, have
        not been moved; and no installation was broken off, as pip takes what is there for whole.
        """
        try:
            run = subprocess.run(
                [str(self._python), "-m", "pip", "--version"],
                capture_output=True,
                text=True,
                check=True,
            )
            here = f"{self.folder}/bin/python" in (self.folder / "bin" / "pip").read_text()
        except (OSError, subprocess.CalledProcessError):
            return False
        version = "(python {}.{})".format(*sys.version_info)
        return here and version in run.stdout and self._recorded() != [_UNFINISHED]

    def make(self) -> None:
        """Make it anew."""
        self._call(sys.executable, "-m", "venv", "--clear", str(self.folder))

    def holds(self, extras: set[str]) -> bool:
        """Whether these extras of setup.cfg are installed as it and constraints.txt want them."""
        digest, *installed = self._recorded() or [""]
        return digest == _digest() and extras <= set(installed)

    def install(self, extras: set[str]) -> None:
        """Install extras of setup.cfg."""
        self._record.write_text(_UNFINISHED)
        self._call(
            *(str(self._python), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "-c", "constraints.txt"),
            *("-e", f".[{','.join(sorted(extras))}]"),
        )
        self._record.write_text("\n".join([_digest(), *sorted(extras)]))

    def _recorded(self) -> list[str]:
        return self._record.read_text().split() if self._record.exists() else []

    def _call(self, *command: str) -> None:
        subprocess.run(command, cwd=ROOT, check=True)


def _digest() -> str:
    return hashlib.sha256(
        b"".join((ROOT / name).read_bytes() for name in ("setup.cfg", "constraints.txt"))
    ).hexdigest()


def ensure(environment: Environment, purpose: str) -> None:
    """Let it hold what ``make run`` or ``make test`` needs."""
    extras = EXTRAS[purpose]
    if not shutil.which("redis-server"):
        extras = extras | {"redis"}
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        extras = extras | {"traces"}
    if not environment.works():
        print(f"Making the environment in {environment.folder}: once.", flush=True)
        environment.make()
    if not environment.holds(extras):
        print(f"Installing what make {purpose} needs: once, a few minutes.", flush=True)
        environment.install(extras)


if __name__ == "__main__":
    try:
        ensure(Environment(ROOT / ".venv"), sys.argv[1])
        assets.fetch()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        # It has said why.
        sys.exit(error.returncode)
