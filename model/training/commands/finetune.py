"""Make a better bundle out of one and of your own labelled images, within minutes.

The look of the images is learnt: paper, pens, scanner. What the bundle can read stays; labels that
it lacks need a training. A share of the images is held out; a bundle that reads it worse than
before is not written.
"""

import argparse
import math
from pathlib import Path

from model.bundle import Bundle
from model.training.commands.part import part
from model.training.judge.lettering import Lettering

HELP = "make a better bundle out of one and labelled images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From what, on what, and how long."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="to start from")
    add(
        "--data",
        type=Path,
        required=True,
        help="labelled images: a folder or tar of <id>_<label>.jpg, or the contest's CSV",
    )
    add("--out", type=Path, required=True, help="the new bundle, made anew")
    add("--version", help="of the new bundle (default: one up)")
    add(
        "--minutes",
        type=_minutes,
        default=5.0,
        help="to tune at most; proving the bundle takes two to five more (default: %(default)g)",
    )
    add(
        "--held-out",
        type=part,
        default=0.1,
        dest="held_out",
        help="share of the images to judge by, never learnt (default: %(default)s)",
    )
    add(
        "--leave-out-doubted",
        action="store_true",
        dest="leave_out_doubted",
        help="do not learn labels that the bundle confidently contradicts",
    )
    add("--notes", type=Path, help="folder for the doubted labels (default: OUT-notes)")
    add("--fonts", type=Path, help="folder of fonts for the captions (default: those installed)")
    add("--cache", type=Path, help="folder for decoded images (default: NOTES/cache)")


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle and what is doubted."""
    from model.training import finetune
    from model.training.finetune import Wanted, next_version
    from model.training.fit.tuner import Budget

    bundle, out = Bundle.open(arguments.bundle), arguments.out
    notes = arguments.notes or out.with_name(f"{out.name}-notes")
    wanted = Wanted(
        arguments.version or next_version(bundle.manifest.version),
        Budget(arguments.minutes * 60),
        arguments.held_out,
        arguments.leave_out_doubted,
    )
    judgement = finetune.finetune(
        bundle,
        arguments.data,
        out,
        notes,
        arguments.cache or notes / "cache",
        wanted,
        Lettering(arguments.fonts),
    )
    print(f"{bundle.manifest.name}/{wanted.version} is in {out}: {judgement}")


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text} minutes are no time to tune")
    return minutes
