"""List the labels that a bundle contradicts, for a person to look over and for train to leave out.

The bundle must not know these labels by heart. Of one that was trained on the same images, name the
members that had a teacher or that were trained on other labels.
"""

import argparse
from collections import Counter
from pathlib import Path

from model.bundle import Bundle
from model.training.data import doubts
from model.training.judge.lettering import Lettering

HELP = "list the labels that a bundle contradicts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who doubts what, from which probability on, and where to write it."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="the bundle")
    add("--members", type=int, nargs="+", help="only these of its members, from 1")
    add("--data", type=Path, required=True, help="labelled images: folder, tar or CSV")
    add("--out", type=Path, required=True, help="folder for doubts.csv and doubts.png")
    add(
        "--leave-out",
        type=float,
        default=doubts.LEAVE_OUT,
        dest="leave_out",
        help="labels of at most this probability are left out (default: %(default)s)",
    )
    add(
        "--soften",
        type=float,
        default=doubts.SOFTEN,
        help="labels of at most this probability are softened (default: %(default)s)",
    )
    add("--fonts", type=Path, help="folder of fonts for the captions (default: those installed)")
    add("--cache", type=Path, help="folder for decoded images (default: OUT/cache)")


def run(arguments: argparse.Namespace) -> None:
    """Write the list and the contact sheet, and say how many there are."""
    from model.training.calibrate import load_for
    from model.training.fit.teacher import chosen
    from model.training.judge.predictions import predict

    bundle, out = Bundle.open(arguments.bundle), arguments.out
    labels = bundle.manifest.labels
    graphs = [bundle.path(member.graph) for member in chosen(bundle, arguments.members)]
    dataset = load_for(bundle, arguments.data, arguments.cache or out / "cache")
    found = predict(graphs, "openvino", dataset.images, len(labels)).probabilities.mean(axis=0)
    doubted = doubts.find(found, dataset, labels, arguments.leave_out, arguments.soften)
    doubts.write(out, doubted, dataset, Lettering(arguments.fonts))
    counts = Counter(doubt.verdict for doubt in doubted)
    print(
        f"of {len(dataset)} labels {counts[doubts.OUT]} are to be left out and"
        f" {counts[doubts.HALF]} softened: {out / doubts.LIST}"
    )
