"""Make a bundle of trained members: frozen, calibrated, proven against their networks."""

import argparse
from pathlib import Path
from typing import get_args

from model.training.choices import Storage
from model.training.data.labels import read_characters

HELP = "make a bundle of trained members"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What was trained, what to prove it with, and what the bundle is called."""
    add = parser.add_argument
    add("--run", type=Path, nargs="+", required=True, dest="runs", help="folders of trainings")
    add("--data", type=Path, required=True, help="what they were trained on: folder, tar or CSV")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--golden", type=Path, required=True, help="folder of a few <id>_<label>.jpg to ship")
    add("--out", type=Path, required=True, help="the bundle, made anew")
    add("--name", required=True, help="of the bundle: lower-case letters, digits, dashes")
    add("--version", required=True, help="of the bundle")
    add("--licence", required=True, help="what the weights may be used for")
    add("--cache", type=Path, help="folder for decoded images (default: RUN/cache)")
    add(
        "--storage",
        choices=get_args(Storage),
        default="mixed",
        help="of the weights: 16, 12 and 8 bits, or 32 bits (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle."""
    from model.training import export

    bundle = export.export(
        arguments.runs,
        arguments.data,
        read_characters(arguments.labels),
        arguments.golden,
        arguments.out,
        arguments.cache or arguments.runs[0] / "cache",
        name=arguments.name,
        version=arguments.version,
        licence=arguments.licence,
        storage=arguments.storage,
    )
    print(f"{bundle.id} is in {arguments.out}")
