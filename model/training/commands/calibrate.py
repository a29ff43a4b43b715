"""Calibrate a bundle anew: temperature, order, early exits, isnull, and what may be answered."""

import argparse
import tempfile
from pathlib import Path

from model.training.commands.held_out import add_held_out

HELP = "choose a bundle's order, early exits and thresholds anew"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to calibrate, and on what."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="the bundle")
    add_held_out(parser)
    add(
        "--answers",
        type=Path,
        help="labels that may be answered, one a line; what shows another is isnull (default: all)",
    )
    add("--version", required=True, help="of the calibrated bundle")
    add("--out", type=Path, help="where to write it (default: in place of the old one)")


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle."""
    from model.training import calibrate
    from model.training.data.labels import read_labels

    answers = read_labels(arguments.answers) if arguments.answers else ()
    out = arguments.out or arguments.bundle
    with tempfile.TemporaryDirectory() as scratch:
        cache = arguments.cache or Path(scratch)
        bundle = calibrate.recalibrate(
            *(arguments.bundle, arguments.data, cache, out, arguments.version), answers=answers
        )
    print(f"{bundle.id} is in {out}")
