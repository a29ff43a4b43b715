"""Make labelled images out of open fonts and stroke data, for who has none, or few."""

import argparse
import os
from pathlib import Path

from model.training.data.labels import read_characters
from model.training.errors import DataError
from model.training.synthesis.fetch import fetched
from model.training.synthesis.sheet import save_sheet
from model.training.synthesis.stream import ISNULL_SHARE
from model.training.synthesis.write import Settings, write

HELP = "make labelled images out of fonts and strokes"
CACHE = Path.home() / ".cache" / "punctual"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many images, of what, and where to."""
    add = parser.add_argument
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--out", type=Path, help="a folder, or a file called *.tar, for <number>_<label>.jpg")
    add("--count", type=_positive, default=60_000, help="of images (default: %(default)s)")
    add(
        "--fonts",
        type=Path,
        help="folder of fonts and stroke files (.json) to draw with; without it, pinned npm "
        "packages are fetched",
    )
    add(
        "--cache",
        type=Path,
        default=CACHE,
        help="folder for what is fetched (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="other images for another (default: %(default)s)")
    add(
        "--isnull-share",
        type=_share,
        default=ISNULL_SHARE,
        dest="isnull_share",
        help="share of images of no character of the list (default: %(default)s)",
    )
    add(
        "--processes",
        type=_positive,
        default=len(os.sched_getaffinity(0)),
        help="that draw at a time (default: %(default)s)",
    )
    add("--contact-sheet", type=Path, dest="sheet", help="PNG file of the first images")


def run(arguments: argparse.Namespace) -> None:
    """Write the images, the contact sheet, or both."""
    if arguments.out is None and arguments.sheet is None:
        raise DataError("nothing to write: give --out, --contact-sheet or both")
    labels = read_characters(arguments.labels)
    shapes = arguments.fonts or fetched(arguments.cache, labels, arguments.processes)
    settings = Settings(shapes, labels, arguments.seed, arguments.isnull_share)
    if arguments.sheet is not None:
        save_sheet(settings.stream(), arguments.sheet)
    if arguments.out is not None:
        write(settings, arguments.out, arguments.count, arguments.processes)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return share
