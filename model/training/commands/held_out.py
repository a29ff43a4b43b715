"""The arguments of commands that measure on labelled images which the members have not seen."""

import argparse
from pathlib import Path


def add_held_out(parser: argparse.ArgumentParser) -> None:
    """Which images, and where they are kept when they are decoded."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="labelled images: folder, tar or CSV; of what it was trained on, the part held out",
    )
    parser.add_argument(
        "--cache", type=Path, help="folder for decoded images (default: none is kept)"
    )
