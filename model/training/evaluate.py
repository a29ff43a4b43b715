"""Assessing a bundle: its figures on labelled images, as JSON, a table and pictures."""

import io
import json
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.ensemble import Ensemble
from model.training.calibrate import load_for
from model.training.data.dataset import Dataset
from model.training.errors import DataError, ExportError
from model.training.judge import audit, evaluation
from model.training.judge.contact_sheet import contact_sheet
from model.training.judge.evaluation import Images, Reading, Rule
from model.training.judge.lettering import Lettering
from model.training.judge.plots import pictures
from model.training.judge.predictions import predict
from model.training.judge.report import figures

CONFUSED, MISTAKES = 20, 120
REPORT, TABLE, SHEET = "evaluation.json", "evaluation.md", "mistakes.png"


@dataclass(frozen=True)
class Assessment:
    """The figures, ready for JSON, and the images uint8 (s, s, 3) of its `mistakes`."""

    report: dict[str, Any]
    mistaken: list[Images]


def assess(
    folder: Path,
    data: Path,
    cache: Path,
    negatives: Path | None = None,
    engine: str = "openvino",
    audited: Path | None = None,
) -> Assessment:
    """Every figure of the bundle in `folder` on the labelled images of `data`.

    `negatives` are images to be answered `isnull`; they count for nothing else. `audited` is a list
    of verdicts on the labels, see ``model.training.judge.audit``.
    Raises DataError for images or a list that cannot be used, and what ``Ensemble.load`` does.
    """
    began = time.perf_counter()
    bundle = Ensemble.load(folder, engine, 1).bundle
    load_ms = round((time.perf_counter() - began) * 1_000)
    manifest = bundle.manifest
    labels, rule = manifest.labels, Rule.of(manifest)
    if negatives and rule is None:
        raise DataError(f"{bundle.id} never answers isnull: leave out the negatives")
    images = load_for(bundle, data, cache)
    verdicts = audit.read(audited, images.names) if audited else None
    graphs = [bundle.path(member.graph) for member in manifest.members]
    found = predict(graphs, engine, images.images, len(labels))
    temperature = manifest.calibration.temperature
    mean = found.probabilities.mean(axis=0)
    reading = evaluation.read(mean, rule, temperature)
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
    wrong = _mistakes(reading, images, labels)
    if verdicts:
        likeliest = evaluation.likeliest(mean, rule)
        report["audit"] = audit.figures(verdicts, reading.answers, likeliest, images.targets, rule)
    if negatives and rule:
        others = load_for(bundle, negatives, cache, labels[rule.isnull])
        unlike = predict(graphs, engine, others.images, len(labels)).probabilities.mean(axis=0)
        refusing = evaluation.read(unlike, rule, temperature)
        report["isnull"] = evaluation.refusals(
            np.concatenate([reading.answers, refusing.answers]),
            np.concatenate([images.targets, others.targets]),
            rule.isnull,
        )
        wrong += _mistakes(refusing, others, labels)
    surest = sorted(wrong, key=lambda each: -each[0]["confidence"])[:MISTAKES]
    report["mistakes"] = [mistake for mistake, _ in surest]
    return Assessment(report, [image for _, image in surest])


def write(assessment: Assessment, folder: Path, lettering: Lettering) -> None:
    """Put `evaluation.json`, `evaluation.md` and the pictures into the folder.

    Each is written beside and renamed. Raises ExportError when that fails.
    """
    report = assessment.report
    files = {
        REPORT: (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode(),
        TABLE: table(report).encode(),
        **pictures(report, lettering),
    }
    if assessment.mistaken:
        files[SHEET] = _sheet(assessment, lettering)
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
    if checked := report.get("audit"):
        low, high = checked["interval_95"]
        rows += [
            (
                f"accuracy where an audit calls the label right ({checked['images']} images)",
                f"{checked['accuracy']:.4f} [{low:.4f}, {high:.4f}]",
            ),
            ("the likeliest class there", f"{checked['accuracy_of_likeliest']:.4f}"),
            ("wrongly answered `isnull` there", _share(checked["wrongly_refused"])),
        ]
    if isnull:
        rows += [
            ("wrongly answered `isnull`", _share(isnull["wrongly_refused"])),
            ("... of readable images", _share(report["readable_refused"])),
            (f"recall of `isnull` ({isnull['images']} images)", _share(isnull["recall"])),
            ("precision of `isnull`", _share(isnull["precision"])),
        ]
    rows += [
        ("each member alone", ", ".join(f"{each:.4f}" for each in members["alone"])),
        ("the first 1, 2, ... members", ", ".join(f"{each:.4f}" for each in members["first"])),
        ("members most alike, and how often they agree", _alike(report["most_alike"])),
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


def _mistakes(
    reading: Reading, images: Dataset, labels: tuple[str, ...]
) -> list[tuple[dict[str, Any], Images]]:
    """What was answered wrong and how surely, with the image."""
    return [
        (
            {
                "name": images.names[row],
                "label": labels[images.targets[row]],
                "read": labels[reading.answers[row]],
                "confidence": round(float(reading.confidence[row]), 4),
            },
            images.images[row],
        )
        for row in np.flatnonzero(reading.answers != images.targets)
    ]


def _sheet(assessment: Assessment, lettering: Lettering) -> bytes:
    captions = [
        f"{each['label']} -> {each['read']} {each['confidence']:.2f}"
        for each in assessment.report["mistakes"]
    ]
    stream = io.BytesIO()
    contact_sheet(assessment.mistaken, captions, lettering).save(stream, "PNG")
    return stream.getvalue()


def _alike(found: dict[str, Any] | None) -> str:
    if found is None:
        return "-"
    one, other = found["members"]
    return f"{one} and {other}, {found['agreement']:.2%}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
