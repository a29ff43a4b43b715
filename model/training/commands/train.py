"""Train the members of an ensemble on labelled images, or go on with a training."""

import argparse
from pathlib import Path

from model.training import train
from model.training.dataset import read_labels
from model.training.trainer import Plan

HELP = "train the members of an ensemble on labelled images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train on, from what, and how long."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder or tar of <id>_<label>.jpg")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--weights", type=Path, required=True, help="EfficientNetB0 without its top, .weights.h5")
    add("--trunk", type=Path, help="folder of a training: its first member's trunk to start from")
    add("--out", type=Path, required=True, help="folder of this training; resumes what it holds")
    add("--cache", type=Path, help="folder for decoded images (default: OUT/cache)")
    add("--fonts", type=Path, help="folder of fonts: draws characters outside the list, for isnull")
    add("--members", type=int, default=5, help="of the ensemble (default: %(default)s)")
    add(
        "--phases",
        type=_phases,
        default="64x9,96x6",
        help="SIZExEPOCHS,...: input sizes in pixels, multiples of 32 (default: %(default)s)",
    )
    add("--batch", type=int, default=128, help="images a step (default: %(default)s)")
    add(
        "--seed",
        type=int,
        default=1,
        help="of order, looks and first weights (default: %(default)s)",
    )
    add(
        "--held-out",
        type=float,
        default=0.03,
        dest="held_out",
        help="share of the data kept to choose by, never trained on (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Train to the end of the plan."""
    plan = Plan(
        arguments.phases, members=arguments.members, batch=arguments.batch, seed=arguments.seed
    )
    train.train(
        arguments.data,
        read_labels(arguments.labels),
        arguments.weights,
        arguments.out,
        arguments.cache or arguments.out / "cache",
        plan,
        arguments.held_out,
        fonts=arguments.fonts,
        trunk=arguments.trunk,
    )


def _phases(text: str) -> tuple[tuple[int, int], ...]:
    """`64x9,96x6` as ((64, 9), (96, 6)): input size in pixels, epochs."""
    try:
        phases = tuple((int(a), int(b)) for a, b in (part.split("x") for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not SIZExEPOCHS,...") from None
    if any(epochs < 1 for _, epochs in phases):
        raise argparse.ArgumentTypeError(f"{text!r}: a phase lasts one epoch at least")
    return phases
