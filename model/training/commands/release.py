"""Make a bundle that can be served out of an export."""

import argparse
from pathlib import Path

from model.training import release
from model.training.dataset import read_labels

HELP = "make a bundle that can be served"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to pack, and what to prove it with."""
    add = parser.add_argument
    add("--export", type=Path, required=True, help="folder that export made")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--golden", type=Path, required=True, help="folder of a few <id>_<label>.jpg to ship")
    add("--compare", type=Path, required=True, help="images on which the engines must agree")
    add("--cache", type=Path, help="folder for decoded images (default: EXPORT/cache)")
    add("--out", type=Path, required=True, help="the bundle, made anew")
    add("--name", required=True, help="of the bundle: lower-case letters, digits, dashes")
    add("--version", required=True, help="of the bundle")
    add("--licence", required=True, help="what the weights may be used for")


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle."""
    release.release(
        arguments.export,
        read_labels(arguments.labels),
        arguments.golden,
        arguments.compare,
        arguments.cache or arguments.export / "cache",
        arguments.out,
        name=arguments.name,
        version=arguments.version,
        licence=arguments.licence,
    )
