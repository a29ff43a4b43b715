"""Freeze trained members, proven against their networks, with their figures."""

import argparse
from pathlib import Path

from model.training import ensemble
from model.training.dataset import read_labels

HELP = "freeze trained members, with their figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What was trained, and what to report on."""
    add = parser.add_argument
    add("--run", type=Path, nargs="+", required=True, dest="runs", help="folders of trainings")
    add("--data", type=Path, required=True, help="what they were trained on: folder or tar")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add(
        "--out",
        type=Path,
        required=True,
        help="folder for members/1.pb ... and report.json, made anew",
    )
    add("--cache", type=Path, help="folder for decoded images (default: RUN/cache)")
    add(
        "--storage",
        choices=("int8", "fp16", "fp32"),
        default="fp16",
        help="how large kernels are stored (default: %(default)s)",
    )
    add("--val", type=Path, help="labelled images to report on and never to choose by")
    add("--negatives", type=Path, help="images that should be answered isnull, to report on")


def run(arguments: argparse.Namespace) -> None:
    """Write the folder."""
    ensemble.export(
        arguments.runs,
        arguments.data,
        read_labels(arguments.labels),
        arguments.out,
        arguments.cache or arguments.runs[0] / "cache",
        arguments.storage,
        arguments.val,
        arguments.negatives,
    )
