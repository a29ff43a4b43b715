"""Train the detector of a reader of sheets, or go on with a training."""

import argparse
from pathlib import Path

HELP = "train a detector of characters on whole sheets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train on, and how long."""
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        help="folder of sheets (.jpg), each with the JSON of its boxes, as `sheets` draws them",
    )
    add("--out", type=Path, required=True, help="folder of this training; resumes what it holds")
    add("--steps", type=int, default=1_000, help="of four crops each (default: %(default)s)")
    add(
        "--rate", type=float, default=2e-3, help="of learning at its highest (default: %(default)s)"
    )
    add("--after", type=Path, help="folder of a bundle whose detector to begin with")
    add("--seed", type=int, default=1, help="of the order and looks (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Train to the last step."""
    from model.bundle import Bundle
    from model.training.pages.fit import fit

    after = Bundle.open(arguments.after) if arguments.after else None
    fit(arguments.data, arguments.out, arguments.steps, arguments.seed, arguments.rate, after=after)
