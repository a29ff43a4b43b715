"""Second: a bundle for sheets gets a reader of characters that its members do not know."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle
from model.engines import ENGINES
from model.manifest import Manifest
from model.training.data.dataset import Dataset, load
from model.training.data.labels import ISNULL
from model.training.errors import DataError
from model.training.frozen.line_reader import LineReader
from model.training.frozen.release import packed, write_graph
from model.training.judge.evaluation import Rule, answers_of
from model.training.judge.predictions import predict
from model.training.pages.equip import served_by_every_engine


@dataclass(frozen=True)
class Found:
    """What became of the images.

    ``refused``: of those of its characters, the share that the members refuse, so that it is asked.
    ``read``: of these images, which are read rightly. ``mistaken``: of the others, which are taken
    for one of its characters.
    """

    images: int
    refused: float
    read: float
    mistaken: float


def second(
    folder: Path,
    reader: Path,
    labels: tuple[str, ...],
    data: Path,
    cache: Path,
    out: Path,
    *,
    version: str,
    least: float,
    licence: str = "",
) -> tuple[Bundle, Found]:
    """Write `out`: the bundle in `folder` with a second reader of these characters.

    Args:
        folder: of a bundle for sheets.
        reader: an ONNX file, see ``LineReader``.
        labels: the characters, none of which its members know, and `isnull`.
        data: images of such characters, and of others under `isnull`.
        cache: folder for decoded images.
        out: where to write the bundle.
        version: of it.
        least: from this probability on it answers, 0-1.
        licence: is added to that of the bundle.

    Raises:
        DataError: reader, labels, images or bundle cannot be used.
        ExportError: as a graph it answers otherwise, or the bundle cannot be written.
        BundleInvalid: an engine reads a golden sheet otherwise.
    """
    bundle = Bundle.open(folder)
    manifest = bundle.manifest
    if manifest.sheet is None:
        raise DataError(f"{bundle.id} is none for sheets: only what these refuse is read twice")
    size = manifest.input.height
    images = load(data, labels, size, cache)
    graph, parity = LineReader(reader, labels, size).frozen(images.images)
    members = [bundle.path(member.graph) for member in manifest.members]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "second.pb")
        write_graph(path, graph)
        found = _found(manifest, members, path, images, len(labels), least)
        note = {"reader": reader.name, "parity": asdict(parity), **asdict(found)}
        facts: dict[str, Any] = manifest.model_dump(exclude={"members", "golden"})
        facts |= {
            "version": version,
            "licence": f"{manifest.licence} {licence}".strip(),
            "provenance": {**manifest.provenance, "second": note},
        }
        facts["sheet"]["second"] = {"labels": labels[:-1], "least": least}
        golden = {bundle.path(each.image): each.answer for each in manifest.golden}
        detector = bundle.path(manifest.sheet.detector)
        made = packed(
            *(out, members, golden, facts, served_by_every_engine), detector=detector, second=path
        )
    return made, found


def _found(
    manifest: Manifest,
    members: list[Path],
    graph: Path,
    images: Dataset,
    classes: int,
    least: float,
) -> Found:
    """What the members and the second reader make of images whose last class is `isnull`."""
    said = predict(members, ENGINES[0], images.images, len(manifest.labels)).probabilities
    refused = answers_of(said.mean(axis=0), Rule.of(manifest)) == manifest.labels.index(ISNULL)
    known = predict([graph], ENGINES[0], images.images, classes).probabilities[0, :, :-1]
    taken = refused & (known.max(axis=1) >= least)
    right = taken & (known.argmax(axis=1) == images.targets)
    ours = images.targets < classes - 1
    return Found(len(images), _share(refused, ours), _share(right, ours), _share(taken, ~ours))


def _share(which: Any, of_these: Any) -> float:
    return round(float(np.mean(which[of_these])), 4) if of_these.any() else 0.0
