"""Equipping: a trained detector and a bundle that reads characters become one that reads sheets.

The members are copied, not referred to: a bundle is moved, mounted, stored and verified as one
folder, and its digest stands for all that its answers depend on.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from model.bundle import MANIFEST, Bundle
from model.engines import ENGINES
from model.sheet import SheetReader
from model.training.errors import DataError
from model.training.fit import checkpoint
from model.training.frozen.freeze import freeze_detector
from model.training.frozen.release import REFERENCE, packed, write_graph
from model.training.pages.fit import WEIGHTS
from model.training.pages.network import build

# An A4 sheet upright and lying, and what is cut out of one.
CANVASES = ((1056, 800), (800, 1056), (320, 320))
RULES: dict[str, Any] = {
    "canvases": [{"height": height, "width": width} for height, width in CANVASES],
    "threshold": 0.35,
    "margin": 0.06,
    "review": 0.99,
    "pages": 8,
    "task_limit_ms": 60_000,
    "task_memory_bytes": 768 * 1024 * 1024,
}


def equip(
    finder: Path,
    reader: Path,
    golden: list[Path],
    out: Path,
    *,
    name: str,
    version: str,
    licence: str,
    refused_from: float | None = None,
) -> Bundle:
    """Write the bundle ``out``, in place of what may be there, whole or not at all.

    ``finder``: folder of a detector's training, or of a bundle for sheets whose detector and second
    reader are taken.
    ``refused_from``: this probability of `isnull` on a character is none of the labels; None: as
    the reader has it. What is cut out of a sheet is blurred and slanted, and looks less like any
    character than what members were trained on: by their rule too many would be refused.

    Raises:
        BundleInvalid: the reader is no sound bundle, or the engines read a golden sheet unlike.
        CheckpointError: the training is none, or damaged.
        DataError: a golden sheet cannot be read, or the reader knows no `isnull`.
        ExportError: the bundle cannot be written.
    """
    members = Bundle.open(reader)
    facts = members.manifest.model_dump(exclude={"members", "golden", "sheet", "express"})
    if refused_from is not None:
        if facts["isnull"] is None:
            raise DataError(f"{members.id} knows no isnull: it refuses nothing")
        facts["isnull"] |= {"threshold": refused_from}
    graphs = [members.path(member.graph) for member in members.manifest.members]
    with tempfile.TemporaryDirectory() as scratch:
        parts = _of_bundle(finder) if (finder / MANIFEST).exists() else _trained(finder, scratch)
        facts |= {
            "name": name,
            "version": version,
            "licence": licence,
            "sheet": parts.rules,
            # Of the others it is not known what they find on a sheet.
            "engines": {
                each: facts["engines"][each] for each in ENGINES if each in facts["engines"]
            },
            "provenance": {**parts.note, "reader": members.id, **facts["provenance"]},
        }
        whole = partial(packed, detector=parts.detector, second=parts.second)
        # What it answers is known when it has been asked.
        unproven = dict.fromkeys(golden, "")
        trial = whole(Path(scratch, "trial"), graphs, unproven, facts, lambda _: None)
        texts = {path: _read(trial, path) for path in golden}
        return whole(out, graphs, texts, facts, served_by_every_engine)


@dataclass(frozen=True)
class _Parts:
    """What a bundle for sheets has beside its members: graphs, rules, and what is known of them."""

    detector: Path
    second: Path | None
    rules: dict[str, Any]
    note: dict[str, Any]


def _trained(run: Path, scratch: str) -> _Parts:
    """A detector as it was left by its training."""
    model = build()
    steps, arrays = checkpoint.read(run / WEIGHTS)
    model.set_weights([arrays[str(number)] for number in range(len(arrays))])
    detector = Path(scratch, "detector.pb")
    write_graph(detector, freeze_detector(model))
    return _Parts(detector, None, RULES, {"detector": {"steps": steps}})


def _of_bundle(folder: Path) -> _Parts:
    """Those of a bundle for sheets, whose members go."""
    bundle = Bundle.open(folder)
    sheet = bundle.manifest.sheet
    if sheet is None:
        raise DataError(f"{bundle.id} has no detector")
    known = bundle.manifest.provenance
    return _Parts(
        bundle.path(sheet.detector),
        bundle.path(sheet.second.graph) if sheet.second else None,
        sheet.model_dump(exclude={"detector"}, exclude_none=True),
        {part: known[part] for part in ("detector", "second") if part in known},
    )


def _read(bundle: Bundle, path: Path) -> str:
    """What the reference makes of a sheet."""
    try:
        return SheetReader.of(bundle, REFERENCE, 1).read(path.read_bytes()).answer
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def served_by_every_engine(bundle: Bundle) -> None:
    """Raise BundleInvalid if an engine reads a golden sheet otherwise, or does not load."""
    for name in ENGINES:
        SheetReader.load(bundle.folder, name, 1)
