"""Narrowing: a bundle that may answer some of its labels, and `isnull` to all the others."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.bundle import Bundle
from model.training.data.dataset import Dataset
from model.training.data.labels import ISNULL
from model.training.errors import DataError
from model.training.frozen import null_head
from model.training.frozen.narrowing import narrowed
from model.training.frozen.release import packed


def narrow(bundle: Bundle, answers: Sequence[str], scratch: Path) -> Bundle:
    """The bundle, in a folder of `scratch`, with these of its labels, in its order, and `isnull`.

    Golden images of other labels are left out. It is to be calibrated, and proven then: its
    thresholds are still those of all labels.
    Raises DataError for answers that are not among its labels or are of no golden image, or when it
    has no `isnull`, ExportError for a graph that cannot be narrowed, and what ``release.packed``
    does.
    """
    manifest = bundle.manifest
    labels = manifest.labels
    if ISNULL not in labels:
        raise DataError(f"{bundle.id} has no {ISNULL}, which labels without an answer would be")
    if unknown := set(answers) - set(labels):
        shown = ", ".join(sorted(unknown)[:5])
        raise DataError(f"{bundle.id} cannot answer what is not among its labels: {shown}")
    left = tuple(label for label in labels if label in {*answers, ISNULL})
    if left == (ISNULL,):
        raise DataError(f"{bundle.id} needs a label besides {ISNULL} that it may answer")
    kept = [labels.index(label) for label in left]
    graphs = []
    for number, member in enumerate(manifest.members, start=1):
        graph = null_head.load(bundle.path(member.graph))
        graph = narrowed(graph, kept, labels.index(ISNULL), len(labels))
        graphs.append(scratch / f"narrowed-{number}.pb")
        graphs[-1].write_bytes(graph.SerializeToString(deterministic=True))
    golden = {
        bundle.path(each.image): each.answer for each in manifest.golden if each.answer in left
    }
    if not golden:
        raise DataError(f"no golden image of {bundle.id} shows a label that it may then answer")
    facts = manifest.model_dump(exclude={"members", "golden", "express"})
    provenance = {**manifest.provenance, "unanswered": sorted(set(labels) - set(left))}
    facts |= {"labels": left, "provenance": provenance}
    return packed(scratch / "narrowed", graphs, golden, facts, prove=lambda _: None)


def relabelled(images: Dataset, labels: Sequence[str], left: Sequence[str]) -> Dataset:
    """The images, labelled by `labels`, with targets among those that are left."""
    isnull = left.index(ISNULL)
    places = np.array(
        [left.index(label) if label in left else isnull for label in labels], np.int32
    )
    return replace(images, targets=places[images.targets])
