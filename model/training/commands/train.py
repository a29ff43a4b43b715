"""Train the members of an ensemble on labelled images, or go on with a training."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from model.bundle import Bundle
from model.training.data.labels import read_characters

if TYPE_CHECKING:
    from model.training.fit.trainer import Round

HELP = "train the members of an ensemble on labelled images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train on, from what, and how long."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder or tar of <id>_<label>.jpg")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--weights", type=Path, required=True, help="EfficientNetB0 without its top, .weights.h5")
    add("--after", type=Path, help="folder of an earlier training, to start where it ended")
    add("--out", type=Path, required=True, help="folder of this training; resumes what it holds")
    add("--cache", type=Path, help="folder for decoded images (default: OUT/cache)")
    add("--synthetic", type=Path, help="images that synthesise made, to mix in: folder or tar")
    add("--doubted", type=Path, help="list that doubt made: labels to leave out or to soften")
    add("--teacher", type=Path, help="bundle made of such images, whose readings count half")
    add("--teacher-members", type=int, nargs="+", dest="teachers", help="only these, from 1")
    add(
        "--rounds",
        type=_rounds,
        default="64x8+96x6",
        help="of each member SIZExEPOCHS+...: input sizes in pixels, multiples of 32 "
        "(default: %(default)s)",
    )
    add(
        "--rate",
        type=float,
        default=1.5e-3,
        help="the highest learning rate (default: %(default)s)",
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
    from model.training import train
    from model.training.fit.teacher import Teacher
    from model.training.fit.trainer import Plan

    plan = Plan(
        arguments.rounds,
        batch=arguments.batch,
        rate=arguments.rate,
        seed=arguments.seed,
    )
    labels, teacher = read_characters(arguments.labels), None
    if arguments.teacher:
        teacher = Teacher(Bundle.open(arguments.teacher), arguments.teachers, labels)
    train.train(
        arguments.data,
        labels,
        arguments.weights,
        arguments.out,
        arguments.cache or arguments.out / "cache",
        plan,
        arguments.held_out,
        synthetic=arguments.synthetic,
        after=arguments.after,
        teacher=teacher,
        doubted=arguments.doubted,
    )


def _rounds(text: str) -> "tuple[Round, ...]":
    """`64x9+96x5,96x3`: two rounds, the first of two phases; input size in pixels, epochs."""
    from model.training.fit.trainer import Round

    try:
        rounds = tuple(
            Round(tuple((int(a), int(b)) for a, b in (part.split("x") for part in each.split("+"))))
            for each in text.split(",")
        )
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not SIZExEPOCHS+... for each member, with commas between"
        ) from None
    if any(epochs < 1 for each in rounds for _, epochs in each.phases):
        raise argparse.ArgumentTypeError(f"{text!r}: a phase lasts one epoch at least")
    if len({each.phases[-1][0] for each in rounds}) > 1:
        raise argparse.ArgumentTypeError(f"{text!r}: every round must end at the same size")
    return rounds
