"""Releasing: an export, golden images and a licence become a bundle that can be served."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle
from model.engines import ENGINES, engine
from model.ensemble import Ensemble
from model.packing import pack
from model.training.dataset import ISNULL, Dataset, load
from model.training.ensemble import LEAST_AGREEMENT, REPORT
from model.training.errors import DataError, ExportError
from model.training.evaluation import Floats, read

REFERENCE = "tensorflow"


def release(
    export: Path,
    labels: tuple[str, ...],
    golden: Path,
    compare: Path,
    cache: Path,
    out: Path,
    *,
    name: str,
    version: str,
    licence: str,
) -> Bundle:
    """Write the bundle `out`, in place of what may be there, whole or not at all.

    `golden` holds a few `<id>_<label>.jpg` that the ensemble must read right; on the images of
    `compare` every engine must answer as the reference does.
    Raises DataError for what cannot be read, ExportError when an engine answers otherwise on more
    than 0.1 % of the images, BundleInvalid as loading does.
    """
    try:
        report = json.loads((export / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{export} holds no export: {error}") from error
    graphs = [export / member["file"] for member in report["members"]]
    size = report["input"]["height"]
    rule = {key: report["isnull"][key] for key in ("threshold", "least")}
    facts: dict[str, Any] = {
        "name": name,
        "version": version,
        "labels": labels,
        "input": report["input"],
        "engines": _agreement(graphs, load(compare, labels, size, cache), labels, rule),
        "calibration": {"temperature": report["calibration"]["temperature"]},
        "isnull": {"label": ISNULL, **rule},
        "accuracy": {key: report[key] for key in ("accuracy", "calibration", "isnull")},
        "provenance": report["provenance"],
        "licence": licence,
    }
    answers = {golden / each: Path(each).stem.rpartition("_")[2] for each in _names(golden)}
    with tempfile.TemporaryDirectory() as scratch:
        trial = pack(Path(scratch, "bundle"), graphs, answers, facts)
        for each in ENGINES:
            Ensemble.load(trial.folder, each, 1)
    return pack(out, graphs, answers, facts)


def _agreement(
    graphs: list[Path], images: Dataset, labels: tuple[str, ...], rule: dict[str, float]
) -> dict[str, float]:
    """The share of images that each engine answers as the reference does."""
    answers = {
        name: read(_means(name, graphs, images), labels.index(ISNULL), **rule).answers
        for name in ENGINES
    }
    shares = {name: float(np.mean(each == answers[REFERENCE])) for name, each in answers.items()}
    for name, share in shares.items():
        if share < LEAST_AGREEMENT:
            raise ExportError(f"{name} answers as {REFERENCE} on only {share:.2%} of the images")
    return shares


def _means(name: str, graphs: list[Path], images: Dataset) -> Floats:
    """The mean of the members' probabilities on one engine, float32 (n, classes)."""
    networks = [engine(name).load(graph, 1) for graph in graphs]
    pixels = (image.astype(np.float32) for image in images.images)
    return np.stack([np.mean([network(each) for network in networks], axis=0) for each in pixels])


def _names(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.glob("*_*.jpg"))
    if not names:
        raise DataError(f"{folder}: no golden images; expected files named <id>_<label>.jpg")
    return names
