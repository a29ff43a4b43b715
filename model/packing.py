"""Packing: makes a bundle out of graphs, golden images and what is known of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model.bundle import MANIFEST, Bundle
from model.manifest import Manifest


def pack(
    destination: Path,
    graphs: list[Path],
    golden: Mapping[Path, str],
    facts: Mapping[str, Any],
    prove: Callable[[Bundle], None] = lambda _: None,
    detector: Path | None = None,
    second: Path | None = None,
) -> Bundle:
    """Write a bundle to ``destination``, in place of what may be there, whole or not at all.

    Between two renames there is a moment with neither; a running worker has its bundle in memory.

    Args:
        destination: the bundle's folder.
        graphs: frozen graphs, one per member, in the order in which they are asked.
        golden: images and their answers.
        facts: the manifest's other fields, as in ``model.manifest.Manifest``.
        prove: is shown the bundle before it is put in place; what it raises stops that.
        detector: its graph, for facts with a field ``sheet``.
        second: that of the second reader, for those with a field ``sheet.second``.

    Raises:
        pydantic.ValidationError: the facts do not make a valid manifest.
        BundleInvalid: what was written does not verify.
        OSError: a file cannot be read, or the disk is full; ``destination`` is untouched.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix="packing-") as scratch:
        folder = Path(scratch, "bundle")
        members = [
            {"name": f"member-{number}", "graph": _copy(graph, folder, f"members/{number}.pb")}
            for number, graph in enumerate(graphs, 1)
        ]
        examples = [
            {"image": _copy(image, folder, f"golden/{number}{image.suffix}"), "answer": answer}
            for number, (image, answer) in enumerate(golden.items(), 1)
        ]
        facts = {**facts, "members": members, "golden": examples}
        if detector:
            copied = _copy(detector, folder, "members/detector.pb")
            facts["sheet"] = {**facts["sheet"], "detector": copied}
        if second:
            copied = _copy(second, folder, "members/second.pb")
            told = {**facts["sheet"]["second"], "graph": copied}
            facts["sheet"] = {**facts["sheet"], "second": told}
        manifest = Manifest.model_validate(facts)
        (folder / MANIFEST).write_text(
            manifest.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8"
        )
        prove(Bundle.open(folder))
        put_in_place(folder, destination, aside=Path(scratch, "replaced"))
    return Bundle.open(destination)


def put_in_place(folder: Path, destination: Path, aside: Path) -> None:
    """Rename ``folder`` to ``destination``; what stood there goes ``aside``, or back on failure."""
    occupied = os.path.lexists(destination)
    if occupied:
        destination.rename(aside)
    try:
        folder.rename(destination)
    except BaseException:
        if occupied:
            aside.rename(destination)
        raise


def _copy(source: Path, folder: Path, path: str) -> dict[str, str]:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return {"path": path, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
