"""``python3 -m deploy.assets``: fetch what the front's pages take from others, once.

Each package is a folder in ``web/pages/assets``, which the front serves: a file of it has the URL
``/pages/assets/<package>/<file>``. None is committed, and none comes from elsewhere at run time.
Without them everything else works, and a page says what it lacks.

The Python of the machine runs this, so it needs nothing but the standard library.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from npm.package import Package, Unavailable

FOLDER = Path(__file__).resolve().parents[1] / "web" / "pages" / "assets"

# Beside the files of a package, once they are all there: what they are.
_RECORD = "fetched.txt"


@dataclass(frozen=True)
class Asset:
    """The files of a package that pages use, and the licences that go with them."""

    package: Package
    files: tuple[str, ...]

    @property
    def record(self) -> str:
        """Says which files of which package there are; another version has another one."""
        return "\n".join((self.package.slug, self.package.sha512, *self.files))


ASSETS = (
    Asset(
        Package(
            "swagger-ui-dist",
            "5.35.0",
            "U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==",
        ),
        (
            *("swagger-ui-bundle.js", "swagger-ui.css"),
            *("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"),
        ),
    ),
    Asset(
        Package(
            "redoc",
            "2.5.4",
            "M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ==",
        ),
        (
            "bundles/redoc.standalone.js",
            *("LICENSE", "bundles/redoc.standalone.js.LICENSE.txt"),
        ),
    ),
    Asset(
        Package(
            "signature_pad",
            "5.1.4",
            "q0wO5a+U+AWPVcVmiNXz7FY4Ad1QiE8wto/3Yn41WVqepoVVYMvkb1CTokaWPUUAHWDLLabH3/acODeWM9jCrg==",
        ),
        ("dist/signature_pad.min.js", "LICENSE"),
    ),
)


def fetch(folder: Path = FOLDER, assets: tuple[Asset, ...] = ASSETS) -> bool:
    """Let the folder hold these; whether it does. What cannot be had is told and left out."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [asset for asset in assets if not _holds(folder / asset.package.name, asset)]
    if missing:
        print("Fetching what the pages are drawn with: once.", flush=True)
    for asset in missing:
        try:
            _keep(folder / asset.package.name, asset)
        except (OSError, Unavailable) as error:
            print(
                f"Pages will say what they lack: {error}. python3 -m deploy.assets tries again.",
                file=sys.stderr,
            )
            # Where one cannot be had, each of the others would be waited for as long.
            return False
    return True


def _holds(folder: Path, asset: Asset) -> bool:
    record = folder / _RECORD
    return record.exists() and record.read_text() == asset.record


def _keep(folder: Path, asset: Asset) -> None:
    """Put its files into the folder, whole or not at all, in place of another version's."""
    files = asset.package.files(asset.files)
    beside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    for name, content in files.items():
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (beside / _RECORD).write_text(asset.record)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


if __name__ == "__main__":
    fetch()
