"""Releasing: members become a bundle that can be served, proven before it is put in place."""

import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import ValidationError

from model.bundle import MANIFEST, Bundle
from model.engines import ENGINES, REDUCED
from model.ensemble import Ensemble
from model.errors import EngineUnavailable
from model.packing import pack
from model.training.choices import Storage
from model.training.data.dataset import Dataset
from model.training.data.labels import ISNULL
from model.training.data.sources import label, why_left_out
from model.training.errors import DataError, ExportError
from model.training.frozen import null_head
from model.training.frozen.freeze import freeze
from model.training.frozen.parity import (
    LEAST_AGREEMENT,
    compare,
    frozen_answers,
    network_answers,
    op_types,
)
from model.training.judge import calibration, report
from model.training.judge.calibration import Choice
from model.training.judge.evaluation import Floats, Images, Indexes, Rule, answers_of
from model.training.judge.predictions import predict

REFERENCE = "tensorflow"
ADVICE = "store it as fp32"


def release(
    networks: Sequence[keras.Model],
    tuning: Dataset,
    labels: tuple[str, ...],
    golden: Mapping[Path, str],
    out: Path,
    *,
    storage: Storage,
    name: str,
    version: str,
    licence: str,
    provenance: Mapping[str, Any],
) -> Bundle:
    """Freeze networks of logits, calibrate them on `tuning`, and write the bundle `out`.

    `tuning` are labelled images that the networks were not trained on, at their input size;
    `golden` a few images with the answers that the ensemble must give.
    Raises ExportError when the frozen members answer as the networks do, or an engine as the
    reference does, on fewer than 99.9 % of the tuning images; and what `packed` does.
    """
    with tempfile.TemporaryDirectory() as scratch:
        frozen = freeze_all(networks, tuning.images, storage, Path(scratch))
        targets, isnull = tuning.targets, labels.index(ISNULL)
        read = partial(read_frozen, images=tuning.images)
        head = null_head.fitted(frozen.graphs, isnull, targets, read, Path(scratch))
        graphs = null_head.put_on(frozen.graphs, isnull, head, Path(scratch))
        members = read(graphs)
        choice = calibration.choose(members, targets, isnull)
        facts = {
            "name": name,
            "version": version,
            "licence": licence,
            "labels": labels,
            "input": {"height": tuning.images.shape[1], "width": tuning.images.shape[2]},
            "engines": engine_agreement(graphs, members, tuning.images, choice.rule),
            **report.calibrated(choice, members, targets, labels),
            "provenance": {**provenance, "export": {**frozen.note, "isnull": asdict(head)}},
        }
        return packed(out, [graphs[member] for member in choice.order], golden, facts)


def renew(
    bundle: Bundle,
    out: Path,
    graphs: Sequence[Path],
    choice: Choice,
    members: Floats,
    targets: Indexes,
    **changes: Any,
) -> Bundle:
    """Write `out`: the bundle with these members, calibrated so, and with other fields changed.

    `members` are their probabilities (members, n, classes) of images they were not trained on,
    and `targets` (n,) the labels of those. The golden images stay. Raises what `packed` does.
    """
    found = report.calibrated(choice, members, targets, bundle.manifest.labels)
    # Another member may be the first now, so that what was its express form is none.
    found |= {"express": (), **changes}
    return rewritten(bundle, out, [graphs[member] for member in choice.order], found)


def rewritten(
    bundle: Bundle, out: Path, graphs: Sequence[Path], changes: Mapping[str, Any]
) -> Bundle:
    """Write `out`: the bundle with these graphs as its members, and other fields changed.

    The golden images stay. Raises what `packed` does.
    """
    facts = bundle.manifest.model_dump(exclude={"members", "golden"})
    golden = {bundle.path(each.image): each.answer for each in bundle.manifest.golden}
    return packed(out, graphs, golden, {**facts, **changes})


@dataclass(frozen=True)
class Frozen:
    """Graph files, their probabilities (members, n, classes), and a note on both for people."""

    graphs: list[Path]
    probabilities: Floats
    note: dict[str, Any]


def freeze_all(
    networks: Sequence[keras.Model], images: Images, storage: Storage, folder: Path
) -> Frozen:
    """Freeze networks of logits into the folder, proven against them on these images.

    Raises ExportError when a member or the ensemble answers otherwise on more than 0.1 % of them.
    """
    graphs, reference, frozen, parities = [], [], [], []
    for number, network in enumerate(networks, start=1):
        graph = freeze(network, storage)
        graphs.append(folder / f"{number}.pb")
        write_graph(graphs[-1], graph)
        reference.append(network_answers(network, images))
        frozen.append(frozen_answers(graph, images))
        parities.append(compare(reference[-1], frozen[-1]))
        parities[-1].prove(f"member {number}", ADVICE)
    whole = compare(np.mean(reference, axis=0), np.mean(frozen, axis=0))
    whole.prove("the ensemble", ADVICE)
    worst = min(parities, key=lambda parity: parity.agreement)
    note = {
        "storage": storage,
        "parity": {"ensemble": asdict(whole), "worst_member": asdict(worst)},
        "ops": op_types(graph),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "tensorflow": tf.__version__,
    }
    return Frozen(graphs, np.stack(frozen), note)


def read_frozen(graphs: Sequence[Path], images: Images) -> Floats:
    """Probabilities (members, n, classes) of graphs, run by the reference."""
    return np.stack([frozen_answers(null_head.load(graph), images) for graph in graphs])


def write_graph(path: Path, graph: tf.compat.v1.GraphDef) -> None:
    """Write a frozen graph; raises ExportError when that fails."""
    try:
        path.write_bytes(graph.SerializeToString(deterministic=True))
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error}") from error


def engine_agreement(
    graphs: Sequence[Path], reference: Floats, images: Images, rule: Rule | None
) -> dict[str, float]:
    """The share of images that the ensemble answers on each engine as on the reference.

    `reference` are the reference's probabilities (members, n, classes). Of engines that calculate
    with fewer digits, those are told that this CPU is made for. Raises ExportError where another
    one is below 99.9 %.
    """
    expected = answers_of(reference.mean(axis=0), rule)
    shares = {REFERENCE: 1.0}
    for name in ENGINES + REDUCED:
        if name == REFERENCE:
            continue
        try:
            found = predict(graphs, name, images, reference.shape[2]).probabilities
        except EngineUnavailable:
            if name in REDUCED:
                continue
            raise
        shares[name] = float(np.mean(answers_of(found.mean(axis=0), rule) == expected))
        if name in ENGINES and shares[name] < LEAST_AGREEMENT:
            raise ExportError(
                f"{name} answers as {REFERENCE} on only {shares[name]:.2%} of the images"
            )
    return shares


def packed(
    out: Path,
    graphs: Sequence[Path],
    golden: Mapping[Path, str],
    facts: Mapping[str, Any],
    prove: Callable[[Bundle], None] | None = None,
    **of_sheet: Path | None,
) -> Bundle:
    """Write the bundle `out`, in place of a bundle that may be there, whole or not at all.

    `prove` is shown it before; by default every engine has to read its golden images. `of_sheet`:
    the graphs of one for sheets, see `pack`.

    Raises BundleInvalid when an engine does not load it or reads a golden image otherwise,
    DataError when the facts make no manifest, ExportError when it cannot be written.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise DataError(f"{out} is there and is no bundle: name another folder")
    try:
        return pack(out, list(graphs), golden, facts, prove or _served_by_every_engine, **of_sheet)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the manifest"
        raise DataError(f"no bundle can be made of this: {where}: {first['msg']}") from error
    except OSError as error:
        raise ExportError(f"cannot write {out}: {error}") from error


def golden_images(folder: Path) -> dict[Path, str]:
    """Images `<id>_<label>.jpg` of a folder and their answers; raises DataError without any."""
    found = {
        path: label(path.name)
        for path in sorted(folder.glob("*_*"))
        if why_left_out(PurePosixPath(path.name)) is None
    }
    if not found:
        raise DataError(f"{folder}: no golden images; expected files named <id>_<label>.jpg")
    return found


def _served_by_every_engine(bundle: Bundle) -> None:
    for name in ENGINES:
        Ensemble.load(bundle.folder, name, 1)
