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
from model.training.narrow import narrow, relabelled

LEAST_IMAGES = 20


def recalibrate(
    folder: Path,
    data: Path,
    cache: Path,
    out: Path,
    version: str,
    *,
    engine: str = "openvino",
    answers: Sequence[str] = (),
) -> Bundle:
    """Calibrate the bundle in `folder` on labelled images and write it to `out`, whole.

    When `data` is what its members were trained or tuned on, only what was held out is used. With
    `answers` it is narrowed to these of its labels before.
    Raises DataError for images that cannot be used, and what ``narrow`` and ``release.packed`` do.
    """
    bundle = Bundle.open(folder)
    images = unseen(bundle, data, cache)
    with tempfile.TemporaryDirectory() as scratch:
        if answers:
            labels = bundle.manifest.labels
            bundle = narrow(bundle, answers, Path(scratch))
            images = relabelled(images, labels, bundle.manifest.labels)
        graphs = [bundle.path(member.graph) for member in bundle.manifest.members]
        return calibrated(bundle, graphs, images, out, engine, {}, version=version)


def calibrated(
    bundle: Bundle,
    graphs: Sequence[Path],
    images: Dataset,
    out: Path,
    engine: str,
    provenance: dict[str, Any],
    **changes: Any,
) -> Bundle:
    """Write `out`: the bundle with these graphs as its members, calibrated on the images.

    They are labelled, and no member was trained on them. `provenance` is added to that of the
    bundle; `changes` are of other fields of its manifest. Raises what ``release.packed`` does.
    """
    labels = bundle.manifest.labels
    isnull = labels.index(ISNULL) if ISNULL in labels else None
    note: dict[str, Any] = {"images": len(images), "engine": engine}

    def read(graphs: Sequence[Path]) -> Floats:
        return predict(graphs, engine, images.images, len(labels)).probabilities

    with tempfile.TemporaryDirectory() as scratch:
        if isnull is None:
            members = read(graphs)
        else:
            head = null_head.fitted(graphs, isnull, images.targets, read, Path(scratch))
            graphs = null_head.put_on(graphs, isnull, head, Path(scratch))
            members, note["isnull"] = read(graphs), asdict(head)
        return renew(
            bundle,
            out,
            graphs,
            calibration.choose(members, images.targets, isnull),
            members,
            images.targets,
            provenance={**bundle.manifest.provenance, "calibration": note, **provenance},
            **changes,
        )


def load_for(bundle: Bundle, data: Path, cache: Path, label: str | None = None) -> Dataset:
    """The images of `data` at the input size of the bundle; raises DataError."""
    size = bundle.manifest.input
    if size.height != size.width:
        raise DataError(f"{bundle.id} reads {size.height} x {size.width} px; only squares can")
    return load(data, bundle.manifest.labels, size.height, cache, label)


def unseen(bundle: Bundle, data: Path, cache: Path) -> Dataset:
    """What no member was trained or tuned on of the images, as far as the provenance tells.

    Raises DataError when these are none, or too few.
    """
    images = _held_out(bundle, load_for(bundle, data, cache))
    if len(images) < LEAST_IMAGES:
        raise DataError(f"{data}: {len(images)} images are too few to calibrate on")
    return images


def _held_out(bundle: Bundle, dataset: Dataset) -> Dataset:
    provenance = bundle.manifest.provenance
    for learnt in (provenance.get("data"), *provenance.get("finetuned", [])):
        if isinstance(learnt, dict) and "held_out" in learnt:
            share = learnt["held_out"]
            settings = Settings.of(bundle.manifest.labels, dataset, 0, share, seed=0)
            if settings.data == learnt["names_sha256"]:
                return settings.tuning(dataset)
    return dataset
