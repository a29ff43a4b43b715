"""Give a bundle for sheets a second reader, of characters that its members do not know."""

import argparse
import tempfile
from pathlib import Path

from model.training.commands.line_reader import add_line_reader
from model.training.commands.part import part

HELP = "let a reader of lines (ONNX) read what a bundle for sheets refuses"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who is to read what, and what that is measured on."""
    add = parser.add_argument
    add("--bundle", type=Path, required=True, help="a bundle for sheets")
    add_line_reader(parser)
    add(
        "--labels",
        type=Path,
        required=True,
        help="the characters that it is to read, one a line, isnull last",
    )
    add(
        "--data",
        type=Path,
        required=True,
        help="images of these characters, and of others as isnull: folder, tar or CSV",
    )
    add("--cache", type=Path, help="folder for decoded images (default: none is kept)")
    add("--version", required=True, help="of the bundle that is written")
    add("--out", type=Path, required=True, help="where to write it")
    add(
        "--least",
        type=part,
        default=0.3,
        help="probability from which one of them is the answer (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle and tell what was found."""
    from model.training.data.labels import read_characters
    from model.training.pages.second import second

    labels = read_characters(arguments.labels)
    with tempfile.TemporaryDirectory() as scratch:
        bundle, found = second(
            arguments.bundle,
            arguments.reader,
            labels,
            arguments.data,
            arguments.cache or Path(scratch),
            arguments.out,
            version=arguments.version,
            least=arguments.least,
            licence=arguments.licence,
        )
    print(
        f"of the images of these characters {found.refused:.1%} are refused by the members and "
        f"{found.read:.1%} read; {found.mistaken:.2%} of the others are taken for one"
    )
    print(f"{bundle.id} is in {arguments.out}")
