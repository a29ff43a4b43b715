"""Fine-tuning: a bundle learns labelled images of its user and becomes a new bundle, in minutes."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from model.bundle import Bundle
from model.training.choices import Storage
from model.training.data import doubts
from model.training.data.batches import Batches, Mix
from model.training.data.dataset import Dataset, load, split
from model.training.data.labels import ISNULL
from model.training.errors import AnswersDiffer, DataError
from model.training.fit.run import Settings
from model.training.fit.tuner import Budget, Tuner
from model.training.frozen import null_head
from model.training.frozen.graph_network import GraphNetwork
from model.training.frozen.null_head import NullHead
from model.training.frozen.parity import compare, frozen_answers, in_batches, network_answers
from model.training.frozen.release import (
    engine_agreement,
    freeze_all,
    read_frozen,
    renew,
    write_graph,
)
from model.training.frozen.thaw import thaw_bundle
from model.training.judge import calibration
from model.training.judge.calibration import Choice
from model.training.judge.evaluation import Floats, Images, Indexes, Rule, answers_of
from model.training.judge.lettering import Lettering
from model.training.judge.predictions import predict

BATCH, LEAST_HELD, PROOF = 128, 20, 2_000
# From here on a bundle contradicts a label of a look that it may not read well.
CONFIDENT = 0.5

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Wanted:
    """What the user asks for.

    `held_out` is the share of the images kept to judge by; with `leave_out_doubted` no label is
    learnt that the bundle confidently contradicts.
    """

    version: str
    budget: Budget
    held_out: float = 0.1
    leave_out_doubted: bool = False


@dataclass(frozen=True)
class Judgement:
    """The share of the images held out that is read right, before and after."""

    before: float
    after: float
    images: int

    @classmethod
    def of(cls, before: Floats, after: Floats, targets: Indexes, rule: Rule | None) -> "Judgement":
        """Of the mean probabilities (n, classes) of both ensembles, by one rule of `isnull`."""
        first, last = (
            round(float(np.mean(answers_of(each, rule) == targets)), 4) for each in (before, after)
        )
        return cls(first, last, len(targets))

    def __str__(self) -> str:
        return f"{self.before:.4f} before, {self.after:.4f} after, on {self.images} held out"


def finetune(
    bundle: Bundle,
    data: Path,
    out: Path,
    notes: Path,
    cache: Path,
    wanted: Wanted,
    lettering: Lettering,
) -> Judgement:
    """Tune the members of a bundle on labelled images, and write the bundle `out`.

    The folder `notes` gets the list of the labels that the bundle doubts.
    Raises DataError for images that cannot be used, for a bundle without anything to tune, and
    when the images held out are read worse than before; what ``release.packed`` does, too, when a
    golden image is read otherwise. `out` is as it was then.
    """
    labels, size = bundle.manifest.labels, bundle.manifest.input.height
    thawed = thaw_bundle(bundle)
    dataset = load(data, labels, size, cache)
    learnt, held = split(dataset.targets, wanted.held_out)
    if len(held) < LEAST_HELD:
        raise DataError(
            f"{data}: of {len(dataset)} images {len(held)} would be held out to judge by, and at"
            f" least {LEAST_HELD} are needed: more images of each label, or a larger --held-out"
        )
    graphs = [bundle.path(member.graph) for member in bundle.manifest.members]
    start = predict(graphs, "openvino", dataset.images, len(labels)).probabilities.mean(axis=0)
    doubted = [
        doubt
        for doubt in doubts.find(start, dataset, labels, soften=0)
        if doubt.probability >= CONFIDENT
    ]
    doubts.write(notes, doubted, dataset, lettering)
    print(f"{len(doubted)} of {len(dataset)} labels are doubted: {notes / doubts.LIST}", flush=True)
    if wanted.leave_out_doubted:
        learnt = np.setdiff1d(learnt, [doubt.row for doubt in doubted])
    batches = Batches(dataset, learnt, min(BATCH, len(learnt)), Mix(), len(labels), seed=1)
    steps = Tuner(thawed, wanted.budget).fit(batches)
    judged = dataset.take(held)
    head = _head(bundle)
    ending = partial(head.probabilities, isnull=labels.index(ISNULL)) if head else tf.nn.softmax
    ends = [
        in_batches(member, judged.images)
        if isinstance(member, GraphNetwork)
        else network_answers(member, judged.images, ending)
        for member in thawed
    ]
    end = np.mean(ends, axis=0)
    judgement = Judgement.of(start[held], end, judged.targets, Rule.of(bundle.manifest))
    if judgement.after < judgement.before:
        raise DataError(f"{out} is not written, as it would read worse: {judgement}")
    note = {
        "from": bundle.id,
        "names_sha256": Settings.of(labels, dataset, size, wanted.held_out, 0).data,
        "images": len(dataset),
        "held_out": wanted.held_out,
        "learnt": len(learnt),
        "doubted": len(doubted),
        "steps": steps,
        "judgement": asdict(judgement),
    }
    others = learnt[:: -(-len(learnt) // PROOF)]
    proof = dataset.take(np.concatenate([held, others]))
    _renew(bundle, thawed, proof, len(held), out, wanted.version, note)
    return judgement


def next_version(version: str) -> str:
    """The version after this one: its last number one up, or `.2` behind it."""
    number = re.search(r"\d*$", version)
    if not number or not number[0]:
        return f"{version}.2"
    return f"{version[: number.start()]}{int(number[0]) + 1}"


def _renew(
    bundle: Bundle,
    thawed: Sequence[keras.Model | GraphNetwork],
    proof: Dataset,
    held: int,
    out: Path,
    version: str,
    note: dict[str, Any],
) -> None:
    """Put what was `thawed` into the places of the bundle's members, and write it to `out`.

    The first `held` images of `proof` were not learnt. Where they are enough, the calibration is
    chosen on them; else that of the bundle stays.
    """
    manifest = bundle.manifest
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        networks = [member for member in thawed if not isinstance(member, GraphNetwork)]
        frozen = (
            _smallest(lambda storage: freeze_all(networks, proof.images, storage, folder))
            if networks
            else None
        )
        tuned = iter(frozen.graphs if frozen else ())
        graphs = [
            _smallest(partial(_written, member, folder / f"graph-{place}.pb", proof.images))
            if isinstance(member, GraphNetwork)
            else next(tuned)
            for place, member in enumerate(thawed)
        ]
        targets, isnull = proof.targets[:held], manifest.labels.index(ISNULL)
        read = partial(read_frozen, images=proof.images)
        enough = held >= calibration.LEAST_IMAGES
        head = null_head.fitted(graphs, isnull, targets, read, folder) if enough else _head(bundle)
        if head:
            graphs = null_head.put_on(graphs, isnull, head, folder)
        answers = read(graphs)
        unseen = answers[:, :held]
        choice = calibration.choose(unseen, targets, isnull) if enough else _choice(bundle)
        earlier = manifest.provenance.get("finetuned", [])
        renew(
            bundle,
            out,
            graphs,
            choice,
            unseen,
            targets,
            version=version,
            engines=engine_agreement(graphs, answers, proof.images, choice.rule),
            provenance={
                **manifest.provenance,
                **({"export": frozen.note} if frozen else {}),
                "finetuned": [*earlier, note],
            },
        )


def _smallest(frozen: Callable[[Storage], Kept]) -> Kept:
    """What comes of few bits, or of all where those are too few; raises ExportError.

    A look that is hardly read has many images between two answers, and there few bits decide.
    """
    try:
        return frozen("mixed")
    except AnswersDiffer as error:
        print(f"Kept in 32 bits: {error}", flush=True)
        return frozen("fp32")


def _written(member: GraphNetwork, path: Path, images: Images, storage: Storage) -> Path:
    """Its file, proven to answer as it does; raises ExportError."""
    graph = member.frozen(storage)
    parity = compare(in_batches(member, images), frozen_answers(graph, images))
    parity.prove("a member that was adopted", "tune it for less long")
    write_graph(path, graph)
    return path


def _head(bundle: Bundle) -> NullHead | None:
    """That of the bundle's members: all that have one have the same."""
    graphs = (bundle.path(member.graph) for member in bundle.manifest.members)
    return next(filter(None, (null_head.head_of(null_head.load(graph)) for graph in graphs)), None)


def _choice(bundle: Bundle) -> Choice:
    """The calibration that the bundle has."""
    manifest = bundle.manifest
    order = tuple(range(len(manifest.members)))
    known = manifest.calibration
    exits = known.exits or (None,) * (len(order) - 1)
    return Choice(order, known.temperature, Rule.of(manifest), exits)
