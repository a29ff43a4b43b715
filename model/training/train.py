"""Training: data, batches, networks and loop put together."""

from pathlib import Path

import keras
import numpy as np

from model.training.data import doubts
from model.training.data.batches import Batches, Mix
from model.training.data.dataset import load, split
from model.training.errors import DataError
from model.training.fit import network, run
from model.training.fit.progress import Progress
from model.training.fit.run import Settings, begin
from model.training.fit.teacher import Teacher
from model.training.fit.trainer import Plan, Trainer

CACHED_SIZE = 96


def train(
    data: Path,
    labels: tuple[str, ...],
    weights: Path,
    out: Path,
    cache: Path,
    plan: Plan,
    held_out: float,
    *,
    synthetic: Path | None = None,
    after: Path | None = None,
    teacher: Teacher | None = None,
    doubted: Path | None = None,
) -> None:
    """Train a member for every round of the plan, or go on with the training that `out` holds.

    It starts from ImageNet's weights, or from the last member of the training `after`. Images of
    `synthetic` are mixed in, the labels of `data` softened by what `teacher` reads, and those in
    the list `doubted` left out or halved. Where synthetic images tell which characters they show as
    `isnull`, it also learns to tell those apart.
    `out` then holds `member-<n>.npz`, `history.jsonl` and `curves.png`.
    Raises DataError and CheckpointError for what cannot be read or does not fit together.
    """
    sizes = [size for each in plan.rounds for size, _ in each.phases]
    for size in sizes:
        network.check_size(size)
    side = max(CACHED_SIZE, *sizes)
    dataset = load(data, labels, side, cache)
    drawn = load(synthetic, labels, side, cache) if synthetic else None
    kept, held = split(dataset.targets, held_out)
    if not len(held):
        raise DataError(f"{data}: {held_out:.1%} of {len(dataset)} images leaves none to choose by")
    out_of_it, softened = doubts.read(doubted, dataset, labels) if doubted else ([], {})
    learnt = np.setdiff1d(kept, out_of_it)
    print(f"{len(kept) - len(learnt)} of {len(kept)} labels are left out,", end=" ")
    print(f"{len(softened.keys() & set(kept.tolist()))} softened", flush=True)
    batches = Batches(dataset, learnt, plan.batch, Mix(), len(labels), plan.seed, drawn, softened)
    begin(out, Settings.of(labels, dataset, plan.size, held_out, plan.seed))
    keras.utils.set_random_seed(plan.seed)
    model = network.build(len(labels))
    if after:
        last = run.load_network(after, run.members(after)[-1], run.read_settings(after), labels)
        model.set_weights(last.get_weights())
    else:
        network.load_backbone(model, weights)
    trainer = Trainer(model, plan, teacher, len(batches.foreign))
    with Progress(out, plan.steps(batches.per_epoch)) as progress:
        trainer.fit(batches, dataset.take(held), out, progress.show)
