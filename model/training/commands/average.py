"""Average members that descend from the same weights into one that reads better than each."""

import argparse
from pathlib import Path

HELP = "make one member the mean of several of the same descent"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which members, in which shares."""
    add = parser.add_argument
    add("--members", type=Path, nargs="+", required=True, help="files member-<n>.npz of trainings")
    add("--shares", type=float, nargs="+", help="of each in the mean (default: the same)")
    add("--out", type=Path, required=True, help="folder of the training that then has this member")


def run(arguments: argparse.Namespace) -> None:
    """Write the member."""
    from model.training import average

    shares = arguments.shares or [1.0] * len(arguments.members)
    average.average(arguments.members, shares, arguments.out)
    print(f"The mean of {len(shares)} members is in {arguments.out}")
