"""Equipping: a trained detector and a bundle that reads characters become one that reads sheets.

The members are copied, not referred to: a bundle is moved, mounted, stored and verified as one
folder, and its digest stands for all that its answers depend on.
"""

import tempfile
from pathlib import Path
from typing import Any

from model.bundle import Bundle
from model.engines import ENGINES
from model.packing import pack
from model.sheet import SheetReader
from model.training.errors import DataError, ExportError
from model.training.fit import checkpoint
from model.training.frozen.freeze import freeze_detector
from model.training.frozen.release import REFERENCE, write_graph
from model.training.pages.fit import WEIGHTS
from model.training.pages.network import build

# An A4 sheet upright and lying, and what is cut out of one.
CANVASES = ((1056, 800), (800, 1056), (320, 320))
RULES: dict[str, Any] = {
    "canvases": [{"height": height, "width": width} for height, width in CANVASES],
    "threshold": 0.27,
    "margin": 0.06,
    "review": 0.99,
    "pages": 8,
    "task_limit_ms": 60_000,
    "task_memory_bytes": 768 * 1024 * 1024,
}


def equip(
    run: Path,
    reader: Path,
    golden: list[Path],
    out: Path,
    *,
    name: str,
    version: str,
    licence: str,
) -> Bundle:
    """Write the bundle ``out``, in place of what may be there, whole or not at all.

    Raises:
        BundleInvalid: the reader is no sound bundle, or the engines read a golden sheet unlike.
        CheckpointError: the training is none, or damaged.
        DataError: a golden sheet cannot be read.
        ExportError: the bundle cannot be written.
    """
    members, model = Bundle.open(reader), build()
    steps, arrays = checkpoint.read(run / WEIGHTS)
    model.set_weights([arrays[str(number)] for number in range(len(arrays))])
    facts = members.manifest.model_dump(exclude={"members", "golden", "sheet"})
    facts |= {
        "name": name,
        "version": version,
        "licence": licence,
        "sheet": RULES,
        "provenance": {"detector": {"steps": steps}, "reader": members.id, **facts["provenance"]},
    }
    graphs = [members.path(member.graph) for member in members.manifest.members]
    with tempfile.TemporaryDirectory() as scratch:
        detector = Path(scratch, "detector.pb")
        write_graph(detector, freeze_detector(model))
        try:
            # What it answers is known when it has been asked.
            trial = pack(
                Path(scratch, "trial"), graphs, dict.fromkeys(golden, ""), facts, detector=detector
            )
            texts = {path: _read(trial, path) for path in golden}
            return pack(out, graphs, texts, facts, _served_by_every_engine, detector)
        except OSError as error:
            raise ExportError(f"cannot write {out}: {error}") from error


def _read(bundle: Bundle, path: Path) -> str:
    """What the reference makes of a sheet."""
    try:
        return SheetReader.of(bundle, REFERENCE, 1).read(path.read_bytes()).answer
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _served_by_every_engine(bundle: Bundle) -> None:
    for name in ENGINES:
        SheetReader.load(bundle.folder, name, 1)
