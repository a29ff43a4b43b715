"""Training: data, batches, networks and loop put together."""

from pathlib import Path
from typing import Any

import keras

from model.training import network, run
from model.training.batches import Batches, Mix
from model.training.dataset import ISNULL, load, split
from model.training.errors import DataError
from model.training.glyphs import Glyphs
from model.training.run import Settings, begin
from model.training.siblings import Siblings
from model.training.trainer import Plan, Trainer

CACHED_SIZE = 96


def train(
    data: Path,
    labels: tuple[str, ...],
    weights: Path,
    out: Path,
    cache: Path,
    plan: Plan,
    held_out: float,
    fonts: Path | None = None,
    trunk: Path | None = None,
) -> None:
    """Train all members, or go on with the training that `out` holds, and print its progress.

    They start from ImageNet's weights, or behind the trunk of another training's first member.
    `out` then holds `member-<n>.npz`, the running averages of the weights, and `history.jsonl`.
    Raises DataError and CheckpointError for what cannot be read or does not fit together.
    """
    sizes = [size for size, _ in plan.phases]
    for size in sizes:
        network.check_size(size)
    side = max(CACHED_SIZE, *sizes)
    dataset = load(data, labels, side, cache)
    glyphs = Glyphs(fonts, labels, side) if fonts else None
    kept, held = split(dataset.targets, held_out)
    if not len(held):
        raise DataError(f"{data}: {held_out:.1%} of {len(dataset)} images leaves none to choose by")
    batches = Batches(
        dataset, kept, plan.batch, Mix(), labels.index(ISNULL), plan.seed, glyphs, plan.members
    )
    settings = Settings.of(labels, dataset, sizes[-1], held_out, plan.seed, plan.members)
    begin(out, settings)
    keras.utils.set_random_seed(plan.seed)
    networks = [network.build(len(labels)) for _ in range(plan.members)]
    for each in networks:
        network.load_backbone(each, weights)
    siblings = Siblings(networks)
    if trunk:
        siblings.take_trunk(run.load_network(trunk, 1, run.read_settings(trunk), labels))
    trainer = Trainer(siblings, plan, len(labels))
    total = plan.steps(batches.per_epoch)
    trainer.fit(batches, dataset.take(held), out, lambda line: _print(line, total))


def _print(line: dict[str, Any], total: int) -> None:
    """One line for a person about the state of the training."""
    tuning = f"  tuning accuracy {line['accuracy']:.4f}" if "accuracy" in line else ""
    print(
        f"step {line['step']}/{total}  {line['size']} px  loss {line['loss']:.3f}"
        f"  {line['seconds']:.0f} s{tuning}",
        flush=True,
    )
