"""Make a network that reads lines of text a member of a bundle."""

import argparse
import tempfile
from pathlib import Path

from model.training.commands.held_out import add_held_out
from model.training.commands.line_reader import add_line_reader

HELP = "add a reader of lines (ONNX) to a bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to add to what, and what to calibrate that on."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="the bundle")
    add_line_reader(parser)
    add_held_out(parser)
    add("--version", required=True, help="of the bundle that is written")
    add("--out", type=Path, required=True, help="where to write it")
    add("--instead-of", type=int, help="number of the member whose place it takes (default: none)")
    add(
        "--width",
        type=int,
        default=48,
        help="pixels that a picture is wide for the reader, where it is 48 high; one that sees"
        " characters wider errs otherwise (default: 48)",
    )
    add(
        "--epochs",
        type=int,
        default=0,
        help="so often it learns the images that were not held out, before (default: never)",
    )
    add(
        "--run",
        type=Path,
        dest="training",
        help="folder of that training's state, which it goes on from",
    )
    add("--rate", type=float, default=2e-4, help="how fast it learns at the most (default: 2e-4)")
    add(
        "--seed",
        type=int,
        default=1,
        help="of the order and looks of what it is shown; with another one it errs otherwise",
    )
    add(
        "--after",
        type=Path,
        help="folder of another training of the same reader, with whose end this one begins",
    )
    add("--synthetic", type=Path, help="drawn images for it to learn beside, such as of isnull")


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle."""
    from model.training.adopt import Teaching, adopt
    from model.training.errors import DataError
    from model.training.fit.reader_tuner import Lessons

    teaching = None
    if arguments.epochs > 0:
        if arguments.training is None:
            raise DataError("--epochs needs --run, a folder for the state of the training")
        lessons = Lessons(arguments.epochs, arguments.rate, arguments.seed)
        teaching = Teaching(lessons, arguments.training, arguments.synthetic, arguments.after)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = adopt(
            arguments.bundle,
            arguments.reader,
            arguments.data,
            arguments.cache or Path(scratch),
            arguments.out,
            version=arguments.version,
            width=arguments.width,
            instead_of=arguments.instead_of,
            licence=arguments.licence,
            teaching=teaching,
        )
    print(f"{bundle.id} is in {arguments.out}")
