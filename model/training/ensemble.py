"""An ensemble out of trained members: files that are proven, their calibration, and a report."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model.training.dataset import ISNULL, Dataset, load
from model.training.errors import DataError, ExportError
from model.training.evaluation import Indexes
from model.training.export import (
    Floats,
    Images,
    Parity,
    compare,
    frozen_answers,
    network_answers,
    op_types,
    publish,
)
from model.training.freeze import Storage, freeze
from model.training.report import figures, provenance
from model.training.run import load_network, read_history, read_settings

REPORT = "report.json"
LEAST_AGREEMENT = 0.999
Graphs = list[tf.compat.v1.GraphDef]


def export(
    runs: list[Path],
    data: Path,
    labels: tuple[str, ...],
    out: Path,
    cache: Path,
    storage: Storage = "fp16",
    val: Path | None = None,
    negatives: Path | None = None,
) -> dict[str, Any]:
    """Freeze the network of every run into `members/<n>.pb` and write `report.json` beside.

    Temperature and `isnull` threshold are chosen on the images held out of the training; `val`
    and `negatives` are only reported on. Returns the report.
    Raises DataError when the runs do not belong together, ExportError when a frozen member answers
    as its network on fewer than 99.9 % of the held-out images; nothing is written then.
    """
    settings = [read_settings(run) for run in runs]
    if len({(each.size, each.data, each.held_out) for each in settings}) > 1:
        raise DataError("the runs differ in input size, images or share held out")
    size, isnull = settings[0].size, labels.index(ISNULL)
    tuning = settings[0].tuning(load(data, labels, size, cache))
    graphs: Graphs = []
    notes: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    trained = [
        (run, member, setting)
        for run, setting in zip(runs, settings, strict=True)
        for member in range(1, setting.members + 1)
    ]
    for number, (run, member, setting) in enumerate(trained, start=1):
        model = load_network(run, member, setting, labels)
        graph = freeze(model, storage)
        name, content = f"members/{number}.pb", graph.SerializeToString(deterministic=True)
        graphs.append(graph)
        files[name] = content
        notes.append(
            {
                "file": name,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "storage": storage,
                "ops": op_types(graph),
                "parity": asdict(_parity(model, graph, tuning, run)),
            }
        )
    report = figures(
        (_ensemble(graphs, tuning.images), tuning.targets),
        _labelled(graphs, load(val, labels, size, cache)) if val else None,
        _ensemble(graphs, load(negatives, labels, size, cache, ISNULL).images)
        if negatives
        else None,
        isnull,
    )
    report["input"] = {"height": size, "width": size}
    report["provenance"] = provenance([read_history(run) for run in runs])
    report["members"] = notes
    files[REPORT] = (json.dumps(report, ensure_ascii=False, indent=2) + "\n").encode()
    publish(out, files)
    return report


def _parity(model: keras.Model, graph: tf.compat.v1.GraphDef, tuning: Dataset, run: Path) -> Parity:
    """Proof that the frozen graph answers as the network does, or ExportError."""
    parity = compare(network_answers(model, tuning.images), frozen_answers(graph, tuning.images))
    if parity.agreement < LEAST_AGREEMENT:
        raise ExportError(
            f"{run}: the frozen member answers as its network on only {parity.agreement:.2%}"
            f" of {parity.images} images; store it in more bits"
        )
    return parity


def _ensemble(graphs: Graphs, images: Images) -> Floats:
    """The mean of the members' probabilities, float32 (n, classes)."""
    answers: Floats = np.mean([frozen_answers(graph, images) for graph in graphs], axis=0)
    return answers


def _labelled(graphs: Graphs, dataset: Dataset) -> tuple[Floats, Indexes]:
    return _ensemble(graphs, dataset.images), dataset.targets
