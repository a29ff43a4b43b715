"""Find the cheaper forms of a bundle's first member that may answer when it storms."""

import argparse
import tempfile
from pathlib import Path

from model.training.commands.held_out import add_held_out
from model.training.commands.part import part

HELP = "let a cheaper form of a bundle's first member answer in a storm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which bundle, what to measure on, and what may be lost."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="the bundle")
    add_held_out(parser)
    add("--version", required=True, help="of the bundle that is written")
    add("--out", type=Path, required=True, help="where to write it")
    add(
        "--most-lost",
        type=part,
        default=0.005,
        metavar="SHARE",
        help="of all images, so many more may be read wrongly than by the first member itself "
        "(default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle and tell what was found."""
    from model.training.express import express

    with tempfile.TemporaryDirectory() as scratch:
        bundle, forms = express(
            arguments.bundle,
            arguments.data,
            arguments.cache or Path(scratch),
            arguments.out,
            version=arguments.version,
            most_lost=arguments.most_lost,
        )
    kept = {form.engine for form in bundle.manifest.express}
    for form in forms:
        print(
            f"{form.engine}: {form.took:.2f} of the member's time, answers as it does "
            f"{form.agreement:.2%}, loses {form.lost:.2%} of accuracy, "
            f"{'kept' if form.engine in kept else 'left out'}"
        )
    print(f"{bundle.id} is in {arguments.out}")
