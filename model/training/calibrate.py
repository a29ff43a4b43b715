"""Recalibration: a bundle gets another temperature, order, exits and rule, and a new version."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.bundle import Bundle
from model.training.data.dataset import Dataset, load
from model.training.data.labels import ISNULL
from model.training.errors import DataError
from model.training.fit.run import Settings
from model.training.frozen import null_head
from model.training.frozen.release import renew
from model.training.judge import calibration
from model.training.judge.evaluation import Floats
from model.training.judge.predictions import predict

LEAST_IMAGES = 20


def recalibrate(
    folder: Path, data: Path, cache: Path, out: Path, version: str, engine: str = "openvino"
) -> Bundle:
    """Calibrate the bundle in `folder` on labelled images and write it to `out`, whole.

    When `data` is what its members were trained or tuned on, only what was held out is used.
    Raises DataError for images that cannot be used, and what ``release.packed`` does.
    """
    bundle = Bundle.open(folder)
    manifest = bundle.manifest
    images = _unseen(bundle, load_for(bundle, data, cache))
    if len(images) < LEAST_IMAGES:
        raise DataError(f"{data}: {len(images)} images are too few to calibrate on")
    graphs = [bundle.path(member.graph) for member in manifest.members]
    isnull = manifest.labels.index(ISNULL) if ISNULL in manifest.labels else None
    note: dict[str, Any] = {"images": len(images), "engine": engine}

    def read(graphs: Sequence[Path]) -> Floats:
        return predict(graphs, engine, images.images, len(manifest.labels)).probabilities

    with tempfile.TemporaryDirectory() as scratch:
        if isnull is None:
            members = read(graphs)
        else:
            head = null_head.fitted(graphs, isnull, images.targets, read, Path(scratch))
            graphs = null_head.put_on(graphs, isnull, head, Path(scratch))
            members, note["isnull"] = read(graphs), asdict(head)
        choice = calibration.choose(members, images.targets, isnull)
        return renew(
            bundle,
            out,
            graphs,
            choice,
            members,
            images.targets,
            version=version,
            provenance={**manifest.provenance, "calibration": note},
        )


def load_for(bundle: Bundle, data: Path, cache: Path, label: str | None = None) -> Dataset:
    """The images of `data` at the input size of the bundle; raises DataError."""
    size = bundle.manifest.input
    if size.height != size.width:
        raise DataError(f"{bundle.id} reads {size.height} x {size.width} px; only squares can")
    return load(data, bundle.manifest.labels, size.height, cache, label)


def _unseen(bundle: Bundle, dataset: Dataset) -> Dataset:
    """What no member was trained or tuned on, as far as the provenance tells."""
    provenance = bundle.manifest.provenance
    for learnt in (provenance.get("data"), *provenance.get("finetuned", [])):
        if isinstance(learnt, dict) and "held_out" in learnt:
            share = learnt["held_out"]
            settings = Settings.of(bundle.manifest.labels, dataset, 0, share, seed=0)
            if settings.data == learnt["names_sha256"]:
                return settings.tuning(dataset)
    return dataset
