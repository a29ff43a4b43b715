"""Measure a bundle on labelled images: figures as JSON, a table and pictures."""

import argparse
from pathlib import Path

from model.engines import ENGINES, REDUCED
from model.training.judge.lettering import Lettering

HELP = "measure a bundle on labelled images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, on what, and where to write it."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="the bundle")
    add("--data", type=Path, required=True, help="labelled images: folder, tar or CSV")
    add("--negatives", type=Path, help="images that should be answered isnull")
    add("--audit", type=Path, help="CSV with the columns file and verdict: right, or what is wrong")
    add("--out", type=Path, required=True, help="folder for evaluation.json, .md and pictures")
    add("--engine", choices=ENGINES + REDUCED, default=ENGINES[0], help="(default: %(default)s)")
    add("--fonts", type=Path, help="folder of fonts for the pictures (default: those installed)")
    add("--cache", type=Path, help="folder for decoded images (default: OUT/cache)")


def run(arguments: argparse.Namespace) -> None:
    """Write the report and show its table."""
    from model.training import evaluate

    lettering = Lettering(arguments.fonts)
    found = evaluate.assess(
        arguments.bundle,
        arguments.data,
        arguments.cache or arguments.out / "cache",
        arguments.negatives,
        arguments.engine,
        arguments.audit,
    )
    evaluate.write(found, arguments.out, lettering)
    print(evaluate.table(found.report))
