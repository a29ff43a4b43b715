"""Equip a reader of characters with a detector: a bundle that reads whole sheets."""

import argparse
from pathlib import Path

from model.training.commands.part import part

HELP = "make a bundle that reads whole sheets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two parts, and what the bundle is called."""
    add = parser.add_argument
    add(
        "--run",
        type=Path,
        required=True,
        dest="finder",
        help="folder of a detector's training, or of a bundle for sheets whose detector and second "
        "reader are taken",
    )
    add("--reader", type=Path, required=True, help="bundle whose members read, which are copied")
    add(
        "--golden",
        type=Path,
        nargs="+",
        required=True,
        help="sheets that are read whenever the bundle is loaded; a small one first",
    )
    add(
        "--refused-from",
        type=part,
        help="probability of isnull from which a character is refused (default: as the reader)",
    )
    add("--out", type=Path, required=True, help="folder of the bundle; replaces one there")
    add("--name", default="sheet", help="of the algorithm (default: %(default)s)")
    add("--version", required=True, help="other content, other version")
    add("--licence", required=True, help="what the bundle may be used for")


def run(arguments: argparse.Namespace) -> None:
    """Freeze the detector, and write the bundle when both engines read the same with it."""
    from model.training.pages.equip import equip

    bundle = equip(
        arguments.finder,
        arguments.reader,
        arguments.golden,
        arguments.out,
        name=arguments.name,
        version=arguments.version,
        licence=arguments.licence,
        refused_from=arguments.refused_from,
    )
    for golden in bundle.manifest.golden:
        print(f"{golden.image.path}\n{golden.answer}\n")
