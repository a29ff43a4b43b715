"""Assessing a bundle: its figures on labelled images, as JSON, a table and pictures."""

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from model.ensemble import Ensemble
from model.training import evaluation
from model.training.errors import DataError, ExportError
from model.training.evaluation import Rule
from model.training.plots import pictures
from model.training.predictions import predict
from model.training.recalibration import load_for
from model.training.report import figures

CONFUSED = 20
REPORT, TABLE = "evaluation.json", "evaluation.md"


def assess(
    folder: Path, data: Path, cache: Path, negatives: Path | None = None, engine: str = "openvino"
) -> dict[str, Any]:
    """Every figure of the bundle in `folder` on the labelled images of `data`.

    `negatives` are images to be answered `isnull`; they count for nothing else.
    Raises DataError for images that cannot be used, and what ``Ensemble.load`` does.
    """
    began = time.perf_counter()
    bundle = Ensemble.load(folder, engine, 1).bundle
    load_ms = round((time.perf_counter() - began) * 1_000)
    manifest = bundle.manifest
    labels, rule = manifest.labels, Rule.of(manifest)
    if negatives and rule is None:
        raise DataError(f"{bundle.id} never answers isnull: leave out the negatives")
    images = load_for(bundle, data, cache)
    graphs = [bundle.path(member.graph) for member in manifest.members]
    found = predict(graphs, engine, images.images, len(labels))
    temperature = manifest.calibration.temperature
    reading = evaluation.read(found.probabilities.mean(axis=0), rule, temperature)
    report = {
        "bundle": bundle.id,
        "engine": engine,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "data": data.name,
        **figures(
            found.probabilities, images.targets, rule, temperature, manifest.calibration.exits
        ),
        "load_ms": load_ms,
        "member_ms": [round(float(each), 2) for each in np.median(found.took_ms, axis=1)],
        "reliability": evaluation.reliability(reading, images.targets),
        "confused": evaluation.confused(reading.answers, images.targets, labels, CONFUSED),
    }
    if negatives and rule:
        others = load_for(bundle, negatives, cache, labels[rule.isnull])
        unlike = predict(graphs, engine, others.images, len(labels)).probabilities.mean(axis=0)
        report["isnull"] = evaluation.refusals(
            np.concatenate([reading.answers, evaluation.answers_of(unlike, rule)]),
            np.concatenate([images.targets, others.targets]),
            rule.isnull,
        )
    return report


def write(report: dict[str, Any], folder: Path, fonts: Path | None = None) -> None:
    """Put `evaluation.json`, `evaluation.md` and the pictures into the folder.

    Each is written beside and renamed. Raises ExportError when that fails.
    """
    files = {
        REPORT: (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode(),
        TABLE: table(report).encode(),
        **pictures(report, fonts),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="evaluation-") as beside:
            for name, content in files.items():
                Path(beside, name).write_bytes(content)
            for name in files:
                Path(beside, name).replace(folder / name)
    except OSError as error:
        raise ExportError(f"cannot write {folder}: {error}") from error


def table(report: dict[str, Any]) -> str:
    """The figures as Markdown."""
    low, high = report["interval_95"]
    leaving, members, isnull = report["early_exit"], report["members"], report["isnull"]
    rows = [
        ("accuracy, 95 % interval", f"{report['accuracy']:.4f} [{low:.4f}, {high:.4f}]"),
        ("accuracy of the likeliest class", f"{report['accuracy_of_likeliest']:.4f}"),
        ("macro-F1", f"{report['macro_f1']:.4f}"),
        ("expected calibration error", f"{report['calibration_error']:.4f}"),
    ]
    if isnull:
        rows += [
            ("wrongly answered `isnull`", _share(isnull["wrongly_refused"])),
            (f"recall of `isnull` ({isnull['images']} images)", _share(isnull["recall"])),
            ("precision of `isnull`", _share(isnull["precision"])),
        ]
    rows += [
        ("each member alone", ", ".join(f"{each:.4f}" for each in members["alone"])),
        ("the first 1, 2, ... members", ", ".join(f"{each:.4f}" for each in members["first"])),
        ("members run with early exits, mean", f"{leaving['mean_members']:.2f}"),
        ("accuracy with early exits", f"{leaving['accuracy']:.4f}"),
        ("same answer as all members", _share(leaving["same_answer"])),
        (
            "ms a member, one thread, median",
            ", ".join(f"{each:.2f}" for each in report["member_ms"]),
        ),
        ("ms to load and warm", str(report["load_ms"])),
    ]
    head = f"`{report['bundle']}` on {report['images']} images of {report['data']}"
    lines = [f"| {head} | {report['engine']}, {report['machine']} |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    lines += ["", "| label | answer | times |", "|---|---|---|"]
    lines += [
        f"| {each['label']} | {each['read']} | {each['times']} |" for each in report["confused"]
    ]
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
