"""Equip a reader of characters with a detector: a bundle that reads whole sheets."""

import argparse
from pathlib import Path

HELP = "make a bundle that reads whole sheets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two parts, and what the bundle is called."""
    add = parser.add_argument
    add("--run", type=Path, required=True, dest="training", help="folder of a detector's training")
    add("--reader", type=Path, required=True, help="bundle whose members read, which are copied")
    add(
        "--golden",
        type=Path,
        nargs="+",
        required=True,
        help="sheets that are read whenever the bundle is loaded; a small one first",
    )
    add("--out", type=Path, required=True, help="folder of the bundle; replaces one there")
    add("--name", default="sheet", help="of the algorithm (default: %(default)s)")
    add("--version", required=True, help="other content, other version")
    add("--licence", required=True, help="what the bundle may be used for")


def run(arguments: argparse.Namespace) -> None:
    """Freeze the detector, and write the bundle when both engines read the same with it."""
    from model.training.pages.equip import equip

    bundle = equip(
        arguments.training,
        arguments.reader,
        arguments.golden,
        arguments.out,
        name=arguments.name,
        version=arguments.version,
        licence=arguments.licence,
    )
    for golden in bundle.manifest.golden:
        print(f"{golden.image.path}\n{golden.answer}\n")
